
-- ---------------------------------------------------------------------------
-- base: what is paused
-- ---------------------------------------------------------------------------

-- Every room that grants or lets rows in reads it; written by idem.pause and
-- idem.resume (control).  What was paused and resumed stands in idem.change.
CREATE TABLE idem.pause (
    kind   text COLLATE "C" NOT NULL
           CONSTRAINT pause_kind_check CHECK (kind IN ('scope', 'channel', 'machine', 'limit')),
    name   text COLLATE "C" NOT NULL,
    state  text COLLATE "C" NOT NULL,
    at     timestamptz NOT NULL,
    role   name NOT NULL,
    reason text NOT NULL,
    CONSTRAINT pause_pkey PRIMARY KEY (kind, name, state)
);
COMMENT ON TABLE idem.pause IS 'what is paused now; read it as idem.pauses';
COMMENT ON COLUMN idem.pause.kind IS 'scope, channel, machine or limit';
COMMENT ON COLUMN idem.pause.name IS 'name of the scope, channel or machine; of a limit, the number of its guard in idem.change, which follows a table that is renamed';
COMMENT ON COLUMN idem.pause.state IS 'the state of a machine that no row enters; empty for the other kinds';
COMMENT ON COLUMN idem.pause.at IS 'when it was paused, by the clock of the database';
COMMENT ON COLUMN idem.pause.role IS 'session user who paused it';
COMMENT ON COLUMN idem.pause.reason IS 'why';
REVOKE ALL ON TABLE idem.pause FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.pause', '');

CREATE TRIGGER idem_pause_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.pause
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_pause_invalidate ON idem.pause IS 'every session knows of a pause before its next grant';
ALTER TABLE idem.pause ENABLE ALWAYS TRIGGER idem_pause_invalidate;
