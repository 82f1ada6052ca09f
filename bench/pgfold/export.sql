COPY (
  SELECT concat_ws(' ', connection, lifecycle || '@' || lifecycle_since, connectivity || '@' || connectivity_since, auth || '@' || auth_since,
                   sync || '@' || sync_since, error || '@' || error_since, failures, last_success, last_failure, events, duplicates, late, first, last)
  FROM states ORDER BY connection
) TO STDOUT
