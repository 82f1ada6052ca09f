-- Connections by number, which sort faster than their names; the few events that were delivered again.
CREATE UNLOGGED TABLE named AS
SELECT connection, row_number() OVER (ORDER BY connection)::int AS c, count(*) AS delivered FROM events GROUP BY connection;
CREATE UNLOGGED TABLE again AS
SELECT delivery, min(place) AS first FROM events GROUP BY delivery HAVING count(*) > 1;
ANALYZE named; ANALYZE again;

-- What sets can do first: each event once, late or not.
CREATE UNLOGGED TABLE ordered AS
SELECT c, effective, place, lifecycle, connectivity, auth, sync, error,
       coalesce(effective < max(effective) OVER (PARTITION BY c ORDER BY place
                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS late
FROM events e JOIN named USING (connection) WHERE NOT EXISTS (SELECT FROM again a WHERE a.delivery = e.delivery AND a.first < e.place);
ANALYZE ordered;

CREATE UNLOGGED TABLE folded (
  c int,
  lifecycle smallint, lifecycle_since bigint, connectivity smallint, connectivity_since bigint,
  auth smallint, auth_since bigint, sync smallint, sync_since bigint, error smallint, error_since bigint,
  failures bigint, last_success bigint, last_failure bigint, events bigint, late bigint, first bigint, last bigint
);

-- The fold, in event-time order, one connection after the other.
DO $$
DECLARE
  e record;
  s folded;
BEGIN
  FOR e IN SELECT * FROM ordered ORDER BY c, effective, place LOOP
    IF s.c IS NULL OR e.c <> s.c THEN
      IF s.c IS NOT NULL THEN
        INSERT INTO folded SELECT s.*;
      END IF;
      s := (e.c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, e.effective, 0)::folded;
    END IF;
    s.events := s.events + 1;
    s.last := e.effective;
    IF e.late THEN s.late := s.late + 1; END IF;
    IF e.lifecycle > 0 AND e.lifecycle <> s.lifecycle THEN s.lifecycle := e.lifecycle; s.lifecycle_since := e.effective; END IF;
    IF e.connectivity > 0 AND e.connectivity <> s.connectivity THEN s.connectivity := e.connectivity; s.connectivity_since := e.effective; END IF;
    IF e.auth > 0 AND e.auth <> s.auth THEN s.auth := e.auth; s.auth_since := e.effective; END IF;
    IF e.sync > 0 AND e.sync <> s.sync THEN s.sync := e.sync; s.sync_since := e.effective; END IF;
    IF e.error > 0 AND e.error <> s.error THEN s.error := e.error; s.error_since := e.effective; END IF;
    IF e.sync = 3 THEN
      s.failures := 0; s.last_success := e.effective;
    ELSIF e.sync = 4 THEN
      s.failures := s.failures + 1; s.last_failure := e.effective;
    END IF;
  END LOOP;
  IF s.c IS NOT NULL THEN
    INSERT INTO folded SELECT s.*;
  END IF;
END $$;
CREATE TABLE states AS
SELECT connection, f.*, delivered - events AS duplicates FROM folded f JOIN named USING (c);
ALTER TABLE states ADD PRIMARY KEY (connection);
