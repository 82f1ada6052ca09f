-- The mapped observations, in the order of the log. COLLATE "C" compares bytes, which is the fastest.
CREATE TABLE events (
  place        bigint NOT NULL,
  connection   text COLLATE "C" NOT NULL,
  delivery     text COLLATE "C" NOT NULL,
  effective    bigint NOT NULL,
  lifecycle    smallint NOT NULL, -- 0: the event leaves the facet alone
  connectivity smallint NOT NULL,
  auth         smallint NOT NULL,
  sync         smallint NOT NULL,
  error        smallint NOT NULL
);
