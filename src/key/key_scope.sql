
-- ---------------------------------------------------------------------------
-- key: altering and dropping scopes, forgetting what is old
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.alter_scope(
    name text, fields text[] DEFAULT NULL, completion text DEFAULT NULL,
    lease interval DEFAULT NULL, quiet interval DEFAULT NULL, ladder interval[] DEFAULT NULL,
    keep interval DEFAULT NULL, charset text DEFAULT NULL, parts integer DEFAULT NULL,
    flush boolean DEFAULT NULL, standbys integer DEFAULT NULL,
    channels text[] DEFAULT NULL, keep_answers text DEFAULT NULL, repeat_within interval DEFAULT NULL,
    duplicate_fields text[] DEFAULT NULL, duplicate_window interval DEFAULT NULL,
    on_duplicate text DEFAULT NULL, confirm_by text DEFAULT NULL,
    force text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_scope'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_scope(text, text[], text, interval, interval, interval[], interval, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text, text) IS
    'changes what a scope was declared with; what is NULL stays. Effect and key_time stay always.
Looser (42P17 without force, which is the reason): fewer fields, completion optional, a shorter quiet or keep, charset any, other parts, flush false, fewer standbys, no channels where there were some, another channel, keep_answers whole, a longer repeat_within, other duplicate_fields, a shorter duplicate_window, on_duplicate report, confirm_by caller. Stricter or neither: the rest. fields become {*} never.
Known keys are served as before, whatever their form: what is asked of keys and requests (charset, parts, fields) is for new ones. They keep the fingerprint of the fields they were claimed under: a repeat has to agree in the fields declared both then and now. A new key is compared with those that came since duplicate_fields are what they are.
Every session obeys from its next statement on. Kept in idem.change_log.
Errors: 22004 name null; 22023 invalid argument, or force blank or longer than 1,000 characters; 42701 field named twice; 42704 unknown scope; 42P17 looser.
Locks: SHARE ROW EXCLUSIVE on idem.scope; claims go on.';
REVOKE ALL ON FUNCTION idem.alter_scope(text, text[], text, interval, interval, interval[], interval, text, integer, boolean, integer, text[], text, interval, text[], interval, text, text, text) FROM PUBLIC;

CREATE FUNCTION idem.drop_scope(name text, force text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_scope'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_scope(text, text) IS
    'forgets a scope and all its keys; late results and evidence stay. A scope declared later under the same name has keys of its own: what is repeated there runs again.
In: force, the reason, needed if the scope has keys, or a guard names it: that then lets no row in. Kept in idem.change_log.
Errors: 22004 name null; 22023 force blank or longer than 1,000 characters; 42704 unknown scope; 42P17 keys and no reason; 2BP01 a guard and no reason; 55I02 a claim that is not final, or of a transaction that has not ended.
Locks: SHARE ROW EXCLUSIVE on idem.scope, idem.anchor and idem.reservation: waits for open claims of other scopes, and claims wait for it.';
REVOKE ALL ON FUNCTION idem.drop_scope(text, text) FROM PUBLIC;

CREATE FUNCTION idem.known_key_time(key text, key_time text, parts integer) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'idem_known_key_time'
    LANGUAGE C IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE;
COMMENT ON FUNCTION idem.known_key_time(text, text, integer) IS
    'what idem.key_time says of a key, or NULL for one of another form; for idem.retire: a key may have been claimed before its scope asked for this form.
Errors: 22023 invalid key_time.';
REVOKE ALL ON FUNCTION idem.known_key_time(text, text, integer) FROM PUBLIC;

CREATE FUNCTION idem.retire(scope text, before timestamptz DEFAULT NULL, batch integer DEFAULT 100000,
                            OUT dropped bigint, OUT removed bigint, OUT horizon timestamptz)
    AS 'MODULE_PATHNAME', 'idem_retire'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.retire(text, timestamptz, integer) IS
    'drops request and response of claims that have been final for the keep of the scope; a repeat is then answered with response_dropped. With before, in a scope with key_time, also: moves the horizon to before, never back, and removes final claims whose key''s own time lies before it; from then on such a key is expired if it is not known. In a scope with duplicate_fields, also: forgets which members were seen longer ago than duplicate_window.
Never removed: what is reserved, dispatched, unknown, released, fenced, has a late result or needs a reversal; what a key that waits to be confirmed was compared with; keys from which no time can be read, claimed before the scope asked for keys of this form.
Out: bodies dropped and keys removed, at most batch of each (call again until both are 0), and the horizon.
Errors: 22004 scope or batch null; 22023 batch below 1, before in the future, within keep or duplicate_window or without key_time, a scope that keeps everything; 42704 unknown scope; 25006 on a standby or in a read-only transaction.
Locks: SHARE ROW EXCLUSIVE on idem.scope; ROW EXCLUSIVE on idem.anchor or idem.reservation; the rows. Claims go on.';
REVOKE ALL ON FUNCTION idem.retire(text, timestamptz, integer) FROM PUBLIC;

-- Settings that are for effects of the other kind are at their default.
CREATE VIEW idem.scope_declarations AS
SELECT 60 AS rank, s.name,
       'SELECT idem.create_scope(' || pg_catalog.concat_ws(', ', pg_catalog.format('%L, effect => %L, fields => %L', s.name, s.effect, s.fields),
           'completion => ' || pg_catalog.quote_literal(s.completion), 'lease => ' || pg_catalog.quote_literal(s.lease),
           'quiet => ' || pg_catalog.quote_literal(s.quiet), 'ladder => ' || pg_catalog.quote_literal(s.ladder),
           'keep => ' || pg_catalog.quote_literal(s.keep), 'key_time => ' || pg_catalog.quote_literal(s.key_time),
           'charset => ' || pg_catalog.quote_literal(s.charset), 'parts => ' || s.parts,
           'flush => ' || s.flush::text, 'standbys => ' || s.standbys,
           'channels => ' || pg_catalog.quote_literal(nullif(s.channels, '{}')),
           'keep_answers => ' || pg_catalog.quote_literal(s.keep_answers),
           'repeat_within => ' || pg_catalog.quote_literal(s.repeat_within),
           CASE WHEN s.duplicate_fields <> '{}'
                THEN pg_catalog.format('duplicate_fields => %L, on_duplicate => %L, confirm_by => %L', s.duplicate_fields, s.on_duplicate, s.confirm_by) END,
           'duplicate_window => ' || pg_catalog.quote_literal(s.duplicate_window)) || ');' AS statement
FROM idem.scope s;
COMMENT ON VIEW idem.scope_declarations IS 'scopes, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.scope_declarations FROM PUBLIC;
