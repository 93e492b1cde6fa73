
-- ---------------------------------------------------------------------------
-- base: the place of this database
-- ---------------------------------------------------------------------------

-- One row, or none.  Which server the database was set, or adopted, on last;
-- written by functions of room send.
CREATE TABLE idem.site (
    one        boolean NOT NULL
               CONSTRAINT site_pkey PRIMARY KEY
               CONSTRAINT site_one_check CHECK (one),
    name       text COLLATE "C" NOT NULL,
    on_move    text COLLATE "C"
               CONSTRAINT site_on_move_check CHECK (on_move IN ('halt', 'follow')),
    set_at     timestamptz NOT NULL,
    role       name NOT NULL,
    system_identifier bigint NOT NULL,
    timeline   bigint NOT NULL,
    database   oid NOT NULL,
    relation   oid NOT NULL,
    backup     text COLLATE "C",
    stamped_at timestamptz NOT NULL,
    held_until timestamptz
);
COMMENT ON TABLE idem.site IS 'the place of this database: where effects outside may go from; no row: anywhere';
COMMENT ON COLUMN idem.site.one IS 'true: there is one row at most';
COMMENT ON COLUMN idem.site.name IS 'what idem.site has to say in the configuration of the server';
COMMENT ON COLUMN idem.site.on_move IS 'what happens on a new timeline: halt or follow; NULL: follow if every scope for effects outside asks for standbys, else halt';
COMMENT ON COLUMN idem.site.set_at IS 'when idem.set_site was called last, by the clock of the database';
COMMENT ON COLUMN idem.site.role IS 'session user who called it';
COMMENT ON COLUMN idem.site.system_identifier IS 'the stamp: of which cluster, as pg_control_system() says it';
COMMENT ON COLUMN idem.site.timeline IS 'the stamp: on which timeline';
COMMENT ON COLUMN idem.site.database IS 'the stamp: which database of the cluster';
COMMENT ON COLUMN idem.site.relation IS 'the stamp: which table this is: a dump that is restored into the same database brings another one';
COMMENT ON COLUMN idem.site.backup IS 'the stamp: where the base backup began from which the server was started on the timeline of that backup; NULL: it was not';
COMMENT ON COLUMN idem.site.stamped_at IS 'since when the stamp is this one';
COMMENT ON COLUMN idem.site.held_until IS 'until then no key is reserved that is seen for the first time; NULL: none is held';
REVOKE ALL ON TABLE idem.site FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.site', '');

CREATE TRIGGER idem_site_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.site
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_site_invalidate ON idem.site IS 'every session knows of a place before its next grant';
ALTER TABLE idem.site ENABLE ALWAYS TRIGGER idem_site_invalidate;

CREATE FUNCTION idem.misplaced() RETURNS text
    AS 'MODULE_PATHNAME', 'idem_misplaced'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.misplaced() IS
    'why reserve and dispatch answer misplaced in this session; NULL: they do not. For operators and admins.
Locks: ACCESS SHARE on idem.site.';
REVOKE ALL ON FUNCTION idem.misplaced() FROM PUBLIC;
