
-- ---------------------------------------------------------------------------
-- channel: declaring, altering and dropping
-- ---------------------------------------------------------------------------

-- The first thing that is wrong with a declaration, in an order in which a
-- reader would look at it.
CREATE FUNCTION idem.channel_flaw(name text, OUT flaw text, OUT hint text)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT f.flaw, f.hint
        FROM idem.channel c, LATERAL (VALUES
            (1, c.name !~ '^[^[:cntrl:][:space:]]([^[:cntrl:]]*[^[:cntrl:][:space:]])?$' OR octet_length(c.name) > 55,
             'its name is none', 'A name is 1 to 55 bytes of text without control characters and without a blank at either end.'),
            (2, num_nonnulls(c.send, c.inquire, c.notice, c.statement) = 0,
             'it has no interface', 'Name the return codes of at least one: send, inquire, notice or statement.'),
            (3, (SELECT count(*) <> count(DISTINCT i) FROM unnest(ARRAY[c.send, c.inquire, c.notice, c.statement]) i WHERE i IS NOT NULL),
             'two interfaces are one', 'The same code means different things on different interfaces: give each a name of its own.'),
            (4, (c.serial IS NULL) <> (c.serial_per IS NULL),
             'serial and serial_per are given together', 'serial_per is ''key'' (all attempts carry one number) or ''attempt'' (each has its own).'),
            (5, c.serial_per NOT IN ('key', 'attempt'),
             format('invalid serial_per "%s"', c.serial_per), 'It is ''key'' or ''attempt''.'),
            (6, c.serial IS NULL AND num_nonnulls(c.serial_max, c.serial_charset, c.first_serial) > 0,
             'serial_max, serial_charset and first_serial are for a serial', NULL),
            (7, c.serial_max < 1 OR c.serial_charset = '',
             'serial_max and serial_charset must take something', NULL),
            (8, array_position(c.echo, NULL) IS NOT NULL OR '' = ANY (c.echo) OR 'code' = ANY (c.echo)
                OR (SELECT count(*) <> count(DISTINCT e) FROM unnest(c.echo) e) OR c.amount = '',
             'echo names members of an answer, each once', 'The members that repeat what was sent, such as ''{serial,amount}''; not the code.'),
            (9, c.absence NOT IN ('operator', 'inquiry', 'statement'),
             format('invalid absence "%s"', c.absence), 'It is ''operator'', ''inquiry'' or ''statement''.'),
            (10, c.absence = 'inquiry' AND c.inquire IS NULL OR c.absence = 'statement' AND c.statement IS NULL,
             format('absence "%s" needs that interface', c.absence), NULL),
            (11, c.quiet < '0' OR extract(year FROM c.quiet) <> 0 OR extract(month FROM c.quiet) <> 0 OR c.quiet > '36500 days',
             'quiet must not be negative, and has no months', NULL),
            (12, c.partial NOT IN ('record', 'unknown'),
             format('invalid partial "%s"', c.partial), 'It is ''record'' or ''unknown''.'),
            (13, c.partial = 'record' AND NOT c.echo @> ARRAY['serial', c.amount] COLLATE "C",
             'partial "record" needs the serial and the amount in echo', NULL),
            (14, c.presume_days < 1 OR c.presume_days IS NOT NULL AND c.calendar IS NULL,
             'presume_days are business days, at least 1, and need a calendar', NULL),
            (15, c.idempotency_window <= '0' OR extract(year FROM c.idempotency_window) <> 0
                 OR extract(month FROM c.idempotency_window) <> 0 OR c.idempotency_window > '36500 days',
             'idempotency_window must be longer than zero, and has no months', NULL),
            (16, c.calendar IS NOT NULL AND NOT EXISTS (SELECT FROM idem.calendar k WHERE k.name = c.calendar),
             format('calendar "%s" does not exist', c.calendar), 'Declare it with idem.create_calendar.')
        ) f (n, wrong, flaw, hint)
        WHERE c.name = channel_flaw.name AND f.wrong
        ORDER BY f.n LIMIT 1;
    END;
COMMENT ON FUNCTION idem.channel_flaw(text) IS 'what is wrong with a channel as it stands in idem.channel, and what to do; NULL: nothing';
REVOKE ALL ON FUNCTION idem.channel_flaw(text) FROM PUBLIC;

CREATE FUNCTION idem.calendar_flaw(name text, OUT flaw text, OUT hint text)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT f.flaw, f.hint
        FROM idem.calendar_at(name, 'infinity') c, LATERAL (VALUES
            (1, c.name = '' OR octet_length(c.name) > 63, 'its name is none', 'A name is 1 to 63 bytes.'),
            (2, c.time_zone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = c.time_zone),
             format('"%s" is no name of a time zone', c.time_zone), 'Name a zone, such as ''Asia/Shanghai'', whose rules for summer time it follows; see pg_timezone_names.'),
            (3, EXISTS (SELECT FROM unnest(c.closed) w
                        WHERE w !~ '^([01]\d|2[0-3]):[0-5]\d-(([01]\d|2[0-3]):[0-5]\d|24:00)$' OR w IS NULL
                              OR split_part(w, '-', 1) = split_part(w, '-', 2)),
             'closed is a list of times of the day, each from-to', 'As ''{23:30-00:30}''; over midnight where the end is not later.'),
            (4, c.around_cut < '0' OR c.around_cut > '12 hours',
             'around_cut must be 0 to 12 hours', NULL),
            (5, NOT '{1,2,3,4,5,6,7}' @> c.weekend OR array_position(c.weekend, NULL) IS NOT NULL
                OR c.weekend @> '{1,2,3,4,5,6,7}',
             'weekend names days of the week, not all of them', '1 is Monday, 7 is Sunday.')
        ) f (n, wrong, flaw, hint)
        WHERE f.wrong
        ORDER BY f.n LIMIT 1;
    END;
COMMENT ON FUNCTION idem.calendar_flaw(text) IS 'what is wrong with a calendar as it stands in idem.calendar, and what to do; NULL: nothing';
REVOKE ALL ON FUNCTION idem.calendar_flaw(text) FROM PUBLIC;

CREATE FUNCTION idem.create_channel(
    name text, send text DEFAULT NULL, inquire text DEFAULT NULL,
    notice text DEFAULT NULL, statement text DEFAULT NULL,
    serial text DEFAULT NULL, serial_per text DEFAULT NULL,
    serial_max integer DEFAULT NULL, serial_charset text DEFAULT NULL,
    first_serial bigint DEFAULT NULL,
    echo text[] DEFAULT '{}', amount text DEFAULT 'amount',
    absence text DEFAULT 'operator', quiet interval DEFAULT '10 min',
    partial text DEFAULT 'unknown', presume_days integer DEFAULT NULL,
    idempotency_window interval DEFAULT NULL, calendar text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_channel'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_channel(text, text, text, text, text, text, text, integer, text, bigint, text[], text, text, interval, text, integer, interval, text) IS
    'declares a channel: a provider as one contract sees it.
In: name (1 to 55 bytes); send, inquire, notice, statement: interfaces, each with return codes of its own; serial: form of the number under which the provider knows an attempt, of text and {key}, {hash:n}, {attempt}, {seq:n}, {seq:n per day}, {YYYYMMDD}, {YYMMDD}, {HHMMSS}, the last three also with Z; serial_per, with serial: ''key'' (all attempts carry one number) or ''attempt''; serial_max, serial_charset: how many characters the provider takes, and which, as in [...] of a regular expression; first_serial: where {seq:n} begins; an earlier channel of the name has counted on, and where it ended this one goes on (a NOTICE names the number), or at first_serial if that is further ahead.
echo: members of an answer that repeat what was sent and have to agree; amount: the one that is the amount; absence: who may believe that there is no such transaction: ''operator'', ''inquiry'' (two, quiet apart) or ''statement''; quiet: how long after the dispatch that is not believed; partial: what another amount under the right serial is: ''unknown'' or ''record''; presume_days: business days after which no news is success; idempotency_window: how long the provider knows a number again; calendar.
The same again is a no-op with a NOTICE. Kept in idem.change_log.
Errors: 22004 null; 22023 what cannot be kept, a first_serial that was passed, or per day where an earlier channel of the name did not count so; 42710 another channel of this name.
Locks: SHARE ROW EXCLUSIVE on idem.channel: one declaration at a time, calls go on.';
REVOKE ALL ON FUNCTION idem.create_channel(text, text, text, text, text, text, text, integer, text, bigint, text[], text, text, interval, text, integer, interval, text) FROM PUBLIC;

CREATE FUNCTION idem.alter_channel(
    name text, send text DEFAULT NULL, inquire text DEFAULT NULL,
    notice text DEFAULT NULL, statement text DEFAULT NULL,
    echo text[] DEFAULT NULL, absence text DEFAULT NULL, quiet interval DEFAULT NULL,
    partial text DEFAULT NULL, presume_days integer DEFAULT NULL,
    idempotency_window interval DEFAULT NULL, calendar text DEFAULT NULL,
    force text DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_channel'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_channel(text, text, text, text, text, text[], text, interval, text, integer, interval, text, text) IS
    'changes what a channel was declared with; what is NULL stays. Serials stay always.
Looser (42P17 without force, which is the reason): another interface or calendar in place of one; fewer echo; absence inquiry, or anything but operator; a shorter quiet; partial record; presume_days, or fewer; a longer idempotency_window. Kept in idem.change_log; every session obeys from its next statement on.
Errors: 22004 name null; 22023 what cannot be kept, or force blank or longer than 1,000 characters; 42704 unknown channel; 42P17 looser; 42501 looser and no approval where one is needed.
Locks: SHARE ROW EXCLUSIVE on idem.channel; calls go on.';
REVOKE ALL ON FUNCTION idem.alter_channel(text, text, text, text, text, text[], text, interval, text, integer, interval, text, text) FROM PUBLIC;

CREATE FUNCTION idem.drop_channel(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_channel'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_channel(text) IS
    'forgets a channel that no scope names and by which nothing is under way. Its sequence stays, so that one of the same name gives no number twice. Kept in idem.change_log.
Errors: 22004 name null; 42704 unknown channel; 2BP01 a scope names it, or a key that went by it is not settled.
Locks: SHARE ROW EXCLUSIVE on idem.channel and idem.reservation: it waits for calls under way for effects outside, and those that come wait for it.';
REVOKE ALL ON FUNCTION idem.drop_channel(text) FROM PUBLIC;

CREATE FUNCTION idem.create_calendar(
    name text, time_zone text, cut time DEFAULT '24:00', closed text[] DEFAULT '{}',
    around_cut interval DEFAULT '0', weekend integer[] DEFAULT '{}'
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_create_calendar'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.create_calendar(text, text, time, text[], interval, integer[]) IS
    'declares the days and hours of a provider.
In: time_zone: its name; cut: from this time of the day on it is the next business day; closed: times of the day in which nothing is sent, each from-to, over midnight too; around_cut: how far from the cut it may book on either day; weekend: days of the week that are no business days, and closed, 1 is Monday.
The same again is a no-op with a NOTICE. Kept in idem.change_log.
Errors: 22004 null; 22023 what cannot be kept; 42710 another calendar of this name.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.create_calendar(text, text, time, text[], interval, integer[]) FROM PUBLIC;

CREATE FUNCTION idem.alter_calendar(
    name text, time_zone text DEFAULT NULL, cut time DEFAULT NULL, closed text[] DEFAULT NULL,
    around_cut interval DEFAULT NULL, weekend integer[] DEFAULT NULL
) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_alter_calendar'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.alter_calendar(text, text, time, text[], interval, integer[]) IS
    'changes a calendar from now on; what is NULL stays, and so does what was a day before. Kept in idem.change_log.
Errors: 22004 name null; 22023 what cannot be kept; 42704 unknown calendar.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.alter_calendar(text, text, time, text[], interval, integer[]) FROM PUBLIC;

CREATE FUNCTION idem.drop_calendar(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_calendar'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_calendar(text) IS
    'forgets a calendar that no channel has. Kept in idem.change_log.
Errors: 22004 name null; 42704 unknown calendar; 2BP01 a channel has it, or closures are still to come.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.drop_calendar(text) FROM PUBLIC;

CREATE FUNCTION idem.add_closure(calendar text, during tstzrange, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_add_closure'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.add_closure(text, tstzrange, text) IS
    'says that a provider does not work then: a holiday, maintenance. A day that is closed from midnight to midnight is no business day. Kept in idem.change_log.
Errors: 22004 null; 22023 a closure that has begun, or no reason; 42704 unknown calendar.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.add_closure(text, tstzrange, text) FROM PUBLIC;

CREATE FUNCTION idem.drop_closure(calendar text, during tstzrange, reason text) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_drop_closure'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.drop_closure(text, tstzrange, text) IS
    'takes a closure back; one that is under way ends now. Kept in idem.change_log.
Errors: 22004 null; 22023 no reason; 42704 no such closure, or one that is over.
Locks: as idem.create_channel.';
REVOKE ALL ON FUNCTION idem.drop_closure(text, tstzrange, text) FROM PUBLIC;
