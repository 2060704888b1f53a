-- Files that are written beside the hot store, readings alone, in other formats: see dsmilctl/archive/beside.py.
CREATE TABLE sinks (
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  format TEXT NOT NULL CHECK (format IN ('csv', 'ndjson', 'parquet', 'dsm')),
  readings INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  parts TEXT NOT NULL DEFAULT '[]',
  sha256 TEXT,
  PRIMARY KEY (session_id, format)
);
