-- Schema 1 of the archive's hot store.  Every time is a whole number of nanoseconds UTC since 1970,
-- every duration is in milliseconds, every share is 0 … 1 in tables and 0 … 100 where a column says percent.

-- What is recorded: one row per recording ("session" is the seed's word for it).
CREATE TABLE test_sessions (
  session_id TEXT PRIMARY KEY,
  session_name TEXT NOT NULL,
  start_timestamp INTEGER NOT NULL,
  end_timestamp INTEGER,
  session_type TEXT NOT NULL DEFAULT 'custom'
    CHECK (session_type IN ('single', 'group', 'range', 'comprehensive', 'custom')),
  total_tokens INTEGER NOT NULL DEFAULT 0,
  successful_tokens INTEGER NOT NULL DEFAULT 0,
  failed_tokens INTEGER NOT NULL DEFAULT 0,
  emergency_stops INTEGER NOT NULL DEFAULT 0,
  thermal_warnings INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'completed', 'failed', 'aborted')),
  operator TEXT NOT NULL DEFAULT '',
  notes TEXT NOT NULL DEFAULT '',
  host TEXT NOT NULL DEFAULT '',
  context TEXT NOT NULL DEFAULT '',
  versions TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(versions)),
  tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_sessions_timestamp ON test_sessions (start_timestamp);
CREATE INDEX idx_sessions_type ON test_sessions (session_type);
CREATE INDEX idx_sessions_status ON test_sessions (status);

CREATE TABLE token_definitions (
  token_id INTEGER PRIMARY KEY,
  hex_id TEXT NOT NULL UNIQUE,
  group_id INTEGER NOT NULL CHECK (group_id BETWEEN 0 AND 5),
  device_id INTEGER NOT NULL CHECK (device_id BETWEEN 0 AND 11),
  sequential_index INTEGER NOT NULL CHECK (sequential_index BETWEEN 0 AND 71),
  potential_function TEXT NOT NULL,
  confidence REAL NOT NULL CHECK (confidence BETWEEN 0 AND 1),
  description TEXT NOT NULL,
  accessible INTEGER NOT NULL CHECK (accessible IN (0, 1)),
  security_level TEXT NOT NULL DEFAULT 'unknown',
  thermal_impact TEXT NOT NULL DEFAULT 'unknown',
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  UNIQUE (group_id, device_id)
) STRICT;
CREATE INDEX idx_tokens_group ON token_definitions (group_id);
CREATE INDEX idx_tokens_accessible ON token_definitions (accessible);
CREATE INDEX idx_tokens_function ON token_definitions (potential_function);

CREATE TABLE device_definitions (
  device_id INTEGER PRIMARY KEY,
  hex_id TEXT NOT NULL UNIQUE,
  device_name TEXT NOT NULL,
  device_group INTEGER NOT NULL CHECK (device_group BETWEEN 0 AND 6),
  device_index INTEGER NOT NULL CHECK (device_index BETWEEN 0 AND 11),
  risk_level TEXT NOT NULL,
  is_quarantined INTEGER NOT NULL CHECK (is_quarantined IN (0, 1)),
  description TEXT NOT NULL,
  UNIQUE (device_group, device_index)
) STRICT;

CREATE TABLE token_tests (
  test_id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  token_id INTEGER NOT NULL REFERENCES token_definitions,
  test_timestamp INTEGER NOT NULL,
  access_method TEXT NOT NULL CHECK (access_method IN ('smbios-token-ctl', 'smi', 'direct', 'wmi')),
  operation_type TEXT NOT NULL
    CHECK (operation_type IN ('read', 'write', 'toggle', 'probe', 'activate')),
  initial_value TEXT,
  set_value TEXT,
  final_value TEXT,
  expected_value TEXT,
  test_duration_ms REAL,
  success INTEGER CHECK (success IN (0, 1)),
  error_code TEXT,
  error_message TEXT,
  retry_count INTEGER NOT NULL DEFAULT 0,
  notes TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_tests_session ON token_tests (session_id);
CREATE INDEX idx_tests_token ON token_tests (token_id);
CREATE INDEX idx_tests_timestamp ON token_tests (test_timestamp);
CREATE INDEX idx_tests_success ON token_tests (success);
CREATE INDEX idx_tests_session_token ON token_tests (session_id, token_id);

CREATE TABLE system_metrics (
  metric_id INTEGER PRIMARY KEY,
  test_id INTEGER REFERENCES token_tests ON DELETE SET NULL,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  metric_timestamp INTEGER NOT NULL,
  cpu_percent REAL,
  memory_percent REAL,
  memory_available_gb REAL,
  disk_usage_percent REAL,
  system_load_1min REAL,
  system_load_5min REAL,
  system_load_15min REAL,
  uptime_hours REAL,
  process_count INTEGER,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_metrics_session ON system_metrics (session_id);
CREATE INDEX idx_metrics_timestamp ON system_metrics (metric_timestamp);
CREATE INDEX idx_metrics_test ON system_metrics (test_id);

CREATE TABLE thermal_readings (
  reading_id INTEGER PRIMARY KEY,
  test_id INTEGER REFERENCES token_tests ON DELETE SET NULL,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  reading_timestamp INTEGER NOT NULL,
  sensor_name TEXT NOT NULL,
  temperature_celsius REAL NOT NULL,
  critical_temp REAL,
  warning_temp REAL,
  thermal_state TEXT NOT NULL DEFAULT 'normal'
    CHECK (thermal_state IN ('normal', 'warning', 'critical', 'emergency')),
  fan_speed_rpm INTEGER,
  thermal_throttling INTEGER NOT NULL DEFAULT 0 CHECK (thermal_throttling IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_thermal_session ON thermal_readings (session_id);
CREATE INDEX idx_thermal_timestamp ON thermal_readings (reading_timestamp);
CREATE INDEX idx_thermal_sensor ON thermal_readings (sensor_name);
CREATE INDEX idx_thermal_state ON thermal_readings (thermal_state);

CREATE TABLE kernel_messages (
  message_id INTEGER PRIMARY KEY,
  test_id INTEGER REFERENCES token_tests ON DELETE SET NULL,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  message_timestamp INTEGER NOT NULL,
  log_level TEXT NOT NULL
    CHECK (log_level IN ('emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug')),
  subsystem TEXT NOT NULL DEFAULT '',
  message_text TEXT NOT NULL,
  raw_message TEXT NOT NULL,
  correlation_tags TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(correlation_tags)),
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_kernel_session ON kernel_messages (session_id);
CREATE INDEX idx_kernel_timestamp ON kernel_messages (message_timestamp);
CREATE INDEX idx_kernel_level ON kernel_messages (log_level);
CREATE INDEX idx_kernel_subsystem ON kernel_messages (subsystem);

CREATE TABLE dsmil_responses (
  response_id INTEGER PRIMARY KEY,
  test_id INTEGER REFERENCES token_tests ON DELETE SET NULL,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  response_timestamp INTEGER NOT NULL,
  group_id INTEGER,
  device_id INTEGER,
  response_type TEXT NOT NULL CHECK (response_type IN
    ('activation', 'deactivation', 'state_change', 'error', 'memory_map', 'group_status')),
  previous_state TEXT,
  new_state TEXT,
  response_data TEXT,
  memory_address INTEGER,
  memory_size INTEGER,
  correlation_strength REAL CHECK (correlation_strength BETWEEN 0 AND 1),
  response_delay_ms REAL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_dsmil_session ON dsmil_responses (session_id);
CREATE INDEX idx_dsmil_timestamp ON dsmil_responses (response_timestamp);
CREATE INDEX idx_dsmil_group ON dsmil_responses (group_id);
CREATE INDEX idx_dsmil_type ON dsmil_responses (response_type);
CREATE INDEX idx_dsmil_correlation ON dsmil_responses (correlation_strength);

CREATE TABLE token_correlations (
  correlation_id INTEGER PRIMARY KEY,
  primary_token_id INTEGER NOT NULL REFERENCES token_definitions,
  correlated_token_id INTEGER NOT NULL REFERENCES token_definitions,
  correlation_type TEXT NOT NULL
    CHECK (correlation_type IN ('sequential', 'simultaneous', 'dependent', 'conflicting')),
  correlation_strength REAL NOT NULL CHECK (correlation_strength BETWEEN 0 AND 1),
  correlation_window_ms REAL,
  test_count INTEGER NOT NULL DEFAULT 0,
  success_rate REAL CHECK (success_rate BETWEEN 0 AND 1),
  notes TEXT NOT NULL DEFAULT '',
  discovered_at INTEGER NOT NULL,
  last_observed INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_correlations_primary ON token_correlations (primary_token_id);
CREATE INDEX idx_correlations_secondary ON token_correlations (correlated_token_id);
CREATE INDEX idx_correlations_strength ON token_correlations (correlation_strength);
CREATE INDEX idx_correlations_type ON token_correlations (correlation_type);

CREATE TABLE discovery_log (
  discovery_id INTEGER PRIMARY KEY,
  test_id INTEGER REFERENCES token_tests ON DELETE SET NULL,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  discovery_timestamp INTEGER NOT NULL,
  discovery_type TEXT NOT NULL CHECK (discovery_type IN
    ('functionality', 'behavior', 'correlation', 'error_pattern', 'security')),
  token_ids TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(token_ids)),
  title TEXT NOT NULL,
  description TEXT NOT NULL DEFAULT '',
  evidence_data TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(evidence_data)),
  confidence_level REAL CHECK (confidence_level BETWEEN 0 AND 1),
  verified INTEGER NOT NULL DEFAULT 0 CHECK (verified IN (0, 1)),
  notes TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_discovery_session ON discovery_log (session_id);
CREATE INDEX idx_discovery_timestamp ON discovery_log (discovery_timestamp);
CREATE INDEX idx_discovery_type ON discovery_log (discovery_type);
CREATE INDEX idx_discovery_verified ON discovery_log (verified);

-- What readings are of: one row per device and register; `device` is the id as it is shown.
CREATE TABLE series (
  series_id INTEGER PRIMARY KEY,
  device TEXT NOT NULL,
  register TEXT NOT NULL,
  unit TEXT NOT NULL DEFAULT '',
  UNIQUE (device, register, unit)
) STRICT;

-- Readings that are not sealed yet: a columnar block (Arrow, zstd) per commit.  `digest` is SHA-256 over
-- the digest before, the fields and the block, so that a changed, swapped or replayed chunk shows.
CREATE TABLE chunks (
  chunk_id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  readings INTEGER NOT NULL,
  first_timestamp INTEGER NOT NULL,
  last_timestamp INTEGER NOT NULL,
  wall INTEGER NOT NULL,
  monotonic REAL NOT NULL,
  previous BLOB NOT NULL,
  digest BLOB NOT NULL,
  block BLOB NOT NULL
) STRICT;

-- Readings that are sealed: one Parquet file each, for the chunks from `first_chunk` to `last_chunk`.
CREATE TABLE segments (
  segment_id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  file TEXT NOT NULL UNIQUE,
  tier TEXT NOT NULL DEFAULT 'raw' CHECK (tier IN ('raw', '1s', '1m', '1h')),
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  first_timestamp INTEGER NOT NULL,
  last_timestamp INTEGER NOT NULL,
  first_chunk INTEGER NOT NULL,
  last_chunk INTEGER NOT NULL,
  last_digest BLOB NOT NULL,
  sealed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_segments_time ON segments (tier, first_timestamp, last_timestamp);

-- Readings that came and could not be kept, or did not reach the recorder.
CREATE TABLE gaps (
  gap_id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  timestamp INTEGER NOT NULL,
  missed INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

CREATE TABLE operations (
  row_id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  timestamp INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  user TEXT NOT NULL,
  host TEXT NOT NULL,
  context TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT NOT NULL,
  parameters TEXT NOT NULL CHECK (json_valid(parameters)),
  decision TEXT NOT NULL,
  outcome TEXT NOT NULL,
  operation_id TEXT NOT NULL,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_operations_session ON operations (session_id, timestamp);

CREATE TABLE events (
  event_id INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL REFERENCES test_sessions ON DELETE CASCADE,
  timestamp INTEGER NOT NULL,
  type TEXT NOT NULL,
  severity TEXT NOT NULL,
  device TEXT,
  message TEXT NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_events_session ON events (session_id, timestamp);

-- Counts of a recording follow its tests, when they begin and when their outcome is known.
CREATE TRIGGER update_session_stats AFTER INSERT ON token_tests BEGIN
  UPDATE test_sessions SET
    total_tokens = (SELECT count(*) FROM token_tests WHERE session_id = NEW.session_id),
    successful_tokens = (SELECT count(*) FROM token_tests WHERE session_id = NEW.session_id AND success = 1),
    failed_tokens = (SELECT count(*) FROM token_tests WHERE session_id = NEW.session_id AND success = 0)
  WHERE session_id = NEW.session_id;
END;
CREATE TRIGGER update_session_stats_on_outcome AFTER UPDATE OF success ON token_tests BEGIN
  UPDATE test_sessions SET
    successful_tokens = (SELECT count(*) FROM token_tests WHERE session_id = NEW.session_id AND success = 1),
    failed_tokens = (SELECT count(*) FROM token_tests WHERE session_id = NEW.session_id AND success = 0)
  WHERE session_id = NEW.session_id;
END;
CREATE TRIGGER update_session_timestamp AFTER UPDATE ON test_sessions
WHEN NEW.updated_at = OLD.updated_at BEGIN
  UPDATE test_sessions SET updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000
  WHERE session_id = NEW.session_id;
END;
CREATE TRIGGER update_token_timestamp AFTER UPDATE ON token_definitions
WHEN NEW.updated_at = OLD.updated_at BEGIN
  UPDATE token_definitions SET updated_at = CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000000
  WHERE token_id = NEW.token_id;
END;

-- Each view gathers every table on its own before it joins: a join of two would multiply sums and counts.
CREATE VIEW session_summary AS
SELECT s.*,
  datetime(s.start_timestamp / 1000000000, 'unixepoch') AS start_time,
  datetime(s.end_timestamp / 1000000000, 'unixepoch') AS end_time,
  100.0 * s.successful_tokens / nullif(s.successful_tokens + s.failed_tokens, 0) AS success_rate,
  (SELECT count(DISTINCT token_id) FROM token_tests t WHERE t.session_id = s.session_id)
    AS unique_tokens_tested,
  (SELECT max(temperature_celsius) FROM thermal_readings r WHERE r.session_id = s.session_id)
    AS max_temperature,
  (SELECT avg(cpu_percent) FROM system_metrics m WHERE m.session_id = s.session_id) AS avg_cpu_usage,
  (SELECT avg(memory_percent) FROM system_metrics m WHERE m.session_id = s.session_id) AS avg_memory_usage
FROM test_sessions s;

CREATE VIEW token_success_rates AS
SELECT d.token_id, d.hex_id, d.group_id, d.device_id, d.potential_function,
  count(t.test_id) AS total_tests,
  coalesce(sum(t.success), 0) AS successful_tests,
  100.0 * sum(t.success) / nullif(count(t.success), 0) AS success_rate,
  avg(t.test_duration_ms) AS avg_duration_ms,
  max(t.test_timestamp) AS last_tested
FROM token_definitions d LEFT JOIN token_tests t USING (token_id)
GROUP BY d.token_id;

CREATE VIEW group_performance AS
WITH groups AS (
  SELECT group_id, count(*) AS tokens_in_group FROM token_definitions GROUP BY group_id
), tests AS (
  SELECT group_id, count(*) AS total_tests, coalesce(sum(success), 0) AS successful_tests,
    100.0 * sum(success) / nullif(count(success), 0) AS group_success_rate
  FROM token_tests JOIN token_definitions USING (token_id) GROUP BY group_id
), responses AS (
  SELECT group_id, count(*) AS dsmil_responses, avg(correlation_strength) AS avg_correlation_strength
  FROM dsmil_responses GROUP BY group_id
), temperatures AS (
  SELECT d.group_id, max(r.temperature_celsius) AS max_group_temperature
  FROM thermal_readings r JOIN token_tests t USING (test_id) JOIN token_definitions d USING (token_id)
  GROUP BY d.group_id
)
SELECT groups.group_id, tokens_in_group,
  coalesce(total_tests, 0) AS total_tests, coalesce(successful_tests, 0) AS successful_tests,
  group_success_rate, coalesce(dsmil_responses, 0) AS dsmil_responses,
  avg_correlation_strength, max_group_temperature
FROM groups LEFT JOIN tests USING (group_id) LEFT JOIN responses USING (group_id)
  LEFT JOIN temperatures USING (group_id);

-- Thirty seconds before and after each test.
CREATE VIEW thermal_impact_analysis AS
WITH windows AS (
  SELECT t.test_id, t.session_id, t.token_id, t.test_timestamp,
    (SELECT avg(temperature_celsius) FROM thermal_readings r WHERE r.session_id = t.session_id
      AND r.reading_timestamp >= t.test_timestamp - 30000000000
      AND r.reading_timestamp < t.test_timestamp) AS avg_temp_before,
    (SELECT avg(temperature_celsius) FROM thermal_readings r WHERE r.session_id = t.session_id
      AND r.reading_timestamp >= t.test_timestamp
      AND r.reading_timestamp <= t.test_timestamp + 30000000000) AS avg_temp_after,
    (SELECT max(temperature_celsius) FROM thermal_readings r WHERE r.session_id = t.session_id
      AND r.reading_timestamp >= t.test_timestamp
      AND r.reading_timestamp <= t.test_timestamp + 30000000000) AS peak_temperature,
    (SELECT count(*) FROM thermal_readings r WHERE r.session_id = t.session_id
      AND r.thermal_state != 'normal' AND r.reading_timestamp >= t.test_timestamp
      AND r.reading_timestamp <= t.test_timestamp + 30000000000) AS thermal_events
  FROM token_tests t
)
SELECT *, avg_temp_after - avg_temp_before AS temp_delta FROM windows;

CREATE VIEW dsmil_correlation_analysis AS
SELECT group_id, device_id, count(*) AS total_responses,
  avg(correlation_strength) AS avg_correlation, max(correlation_strength) AS max_correlation,
  avg(response_delay_ms) AS avg_response_delay_ms,
  group_concat(DISTINCT response_type) AS response_types
FROM dsmil_responses GROUP BY group_id, device_id;
