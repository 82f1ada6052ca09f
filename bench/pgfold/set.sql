-- Connections by number, which sort faster than their names; the few events that were delivered again.
CREATE UNLOGGED TABLE named AS
SELECT connection, row_number() OVER (ORDER BY connection)::int AS c, count(*) AS delivered FROM events GROUP BY connection;
CREATE UNLOGGED TABLE again AS
SELECT delivery, min(place) AS first FROM events GROUP BY delivery HAVING count(*) > 1;
ANALYZE named; ANALYZE again;

-- Each event once, numbered in event-time order within its connection, late or not.
CREATE UNLOGGED TABLE ordered AS
SELECT c, effective, lifecycle, connectivity, auth, sync, error,
       row_number() OVER (PARTITION BY c ORDER BY effective, place) AS n,
       coalesce(effective < max(effective) OVER (PARTITION BY c ORDER BY place
                                                 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), false) AS late
FROM events e JOIN named USING (connection) WHERE NOT EXISTS (SELECT FROM again a WHERE a.delivery = e.delivery AND a.first < e.place);
ANALYZE ordered;

-- The latest by time: each facet's last value, found as n*8+value.
CREATE UNLOGGED TABLE latest AS
  SELECT c, count(*) AS events, count(*) FILTER (WHERE late) AS late, min(effective) AS first, max(effective) AS last,
         coalesce(max(n*8+lifecycle) FILTER (WHERE lifecycle > 0) % 8, 0) AS lifecycle,
         coalesce(max(n*8+connectivity) FILTER (WHERE connectivity > 0) % 8, 0) AS connectivity,
         coalesce(max(n*8+auth) FILTER (WHERE auth > 0) % 8, 0) AS auth,
         coalesce(max(n*8+sync) FILTER (WHERE sync > 0) % 8, 0) AS sync,
         coalesce(max(n*8+error) FILTER (WHERE error > 0) % 8, 0) AS error,
         coalesce(max(n) FILTER (WHERE sync = 3), 0) AS succeeded,
         coalesce(max(effective) FILTER (WHERE sync = 3), 0) AS last_success,
         coalesce(max(effective) FILTER (WHERE sync = 4), 0) AS last_failure
  FROM ordered GROUP BY c;
ANALYZE latest;

-- The last event that set another value: behind it the current run begins.
CREATE UNLOGGED TABLE other AS
  SELECT c,
         coalesce(max(n) FILTER (WHERE o.lifecycle > 0 AND o.lifecycle <> l.lifecycle), 0) AS lifecycle,
         coalesce(max(n) FILTER (WHERE o.connectivity > 0 AND o.connectivity <> l.connectivity), 0) AS connectivity,
         coalesce(max(n) FILTER (WHERE o.auth > 0 AND o.auth <> l.auth), 0) AS auth,
         coalesce(max(n) FILTER (WHERE o.sync > 0 AND o.sync <> l.sync), 0) AS sync,
         coalesce(max(n) FILTER (WHERE o.error > 0 AND o.error <> l.error), 0) AS error,
         count(*) FILTER (WHERE o.sync = 4 AND n > l.succeeded) AS failures
  FROM ordered o JOIN latest l USING (c) GROUP BY c;
ANALYZE other;

CREATE TABLE states AS
WITH since AS (
  SELECT c,
         coalesce(min(effective) FILTER (WHERE o.lifecycle > 0 AND n > t.lifecycle), 0) AS lifecycle_since,
         coalesce(min(effective) FILTER (WHERE o.connectivity > 0 AND n > t.connectivity), 0) AS connectivity_since,
         coalesce(min(effective) FILTER (WHERE o.auth > 0 AND n > t.auth), 0) AS auth_since,
         coalesce(min(effective) FILTER (WHERE o.sync > 0 AND n > t.sync), 0) AS sync_since,
         coalesce(min(effective) FILTER (WHERE o.error > 0 AND n > t.error), 0) AS error_since
  FROM ordered o JOIN other t USING (c) GROUP BY c
)
SELECT connection, l.lifecycle, lifecycle_since, l.connectivity, connectivity_since, l.auth, auth_since,
       l.sync, sync_since, l.error, error_since, failures, last_success, last_failure,
       events, delivered - events AS duplicates, late, first, last
FROM latest l JOIN other USING (c) JOIN since USING (c) JOIN named USING (c);
ALTER TABLE states ADD PRIMARY KEY (connection);
