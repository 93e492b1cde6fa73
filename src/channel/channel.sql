
-- ---------------------------------------------------------------------------
-- channel: providers, and what goes to them and comes from them
-- ---------------------------------------------------------------------------

-- A channel is a provider as one contract sees it: the interfaces it answers
-- on, each with return codes of its own (room codes), the number under which
-- it knows an attempt, what of a request its answers repeat, and its days.
-- Scopes of effects outside name their channels (idem.scope.channels); room
-- send asks this room three things: which number an attempt goes by, which
-- day it is there, and what an answer means.  Nothing here changes a key.
--
--	idem.channel	a row a provider
--	idem.calendar	a row a version of its days; the newest counts from then on
--	idem.closure	a row a time in which it does not work
--	idem.serial_day	where the numbers of a day begin
--
-- Sequences of {seq:n} are called idem.serial_<channel>.  They are made when a
-- channel is declared and are no members of the extension, or pg_dump would
-- leave them out.

CREATE TABLE idem.channel (
    name        text COLLATE "C"
                CONSTRAINT channel_pkey PRIMARY KEY,
    send        text COLLATE "C",
    inquire     text COLLATE "C",
    notice      text COLLATE "C",
    statement   text COLLATE "C",
    serial      text COLLATE "C",
    serial_per  text COLLATE "C",
    serial_max  integer,
    serial_charset text COLLATE "C",
    first_serial bigint,
    echo        text[] COLLATE "C" NOT NULL,
    amount      text COLLATE "C" NOT NULL,
    absence     text COLLATE "C" NOT NULL,
    quiet       interval NOT NULL,
    partial     text COLLATE "C" NOT NULL,
    presume_days integer,
    idempotency_window interval,
    calendar    text COLLATE "C",
    created_by  name NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp()
);
COMMENT ON TABLE idem.channel IS 'declared channels: a provider as one contract sees it';
COMMENT ON COLUMN idem.channel.name IS 'what scopes and idem.dispatch name it by';
COMMENT ON COLUMN idem.channel.send IS 'interface by which effects are sent: what its return codes are declared under; NULL: none';
COMMENT ON COLUMN idem.channel.inquire IS 'interface by which the provider is asked; NULL: none';
COMMENT ON COLUMN idem.channel.notice IS 'interface by which the provider calls; NULL: none';
COMMENT ON COLUMN idem.channel.statement IS 'interface of its statements; NULL: none';
COMMENT ON COLUMN idem.channel.serial IS 'form of the number under which the provider knows an attempt; NULL: the caller makes it';
COMMENT ON COLUMN idem.channel.serial_per IS 'key: all attempts of a key carry one number; attempt: each has one of its own';
COMMENT ON COLUMN idem.channel.serial_max IS 'how many characters the provider takes; NULL: any number';
COMMENT ON COLUMN idem.channel.serial_charset IS 'which characters the provider takes, as in [...] of a regular expression; NULL: all';
COMMENT ON COLUMN idem.channel.first_serial IS 'where {seq:n} was declared to begin; NULL: at 1, or where an earlier channel of the name ended';
COMMENT ON COLUMN idem.channel.echo IS 'members of an answer that repeat what was sent: they have to agree';
COMMENT ON COLUMN idem.channel.amount IS 'the member of request and answer that is the amount';
COMMENT ON COLUMN idem.channel.absence IS 'who may believe that the provider knows no such transaction: operator, inquiry or statement';
COMMENT ON COLUMN idem.channel.quiet IS 'how long after the dispatch that is not believed';
COMMENT ON COLUMN idem.channel.partial IS 'what another amount under the right number is: record: success with settled_amount; unknown';
COMMENT ON COLUMN idem.channel.presume_days IS 'business days after which no news is taken as success; NULL: never';
COMMENT ON COLUMN idem.channel.idempotency_window IS 'how long the provider knows a number again; NULL: for good';
COMMENT ON COLUMN idem.channel.calendar IS 'its days and hours; NULL: all are open';
COMMENT ON COLUMN idem.channel.created_by IS 'role that declared it';
COMMENT ON COLUMN idem.channel.created_at IS 'when';
REVOKE ALL ON TABLE idem.channel FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.channel', '');

CREATE TRIGGER idem_channel_invalidate
    AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON idem.channel
    FOR EACH STATEMENT EXECUTE FUNCTION idem.invalidate_definitions();
COMMENT ON TRIGGER idem_channel_invalidate ON idem.channel IS 'every session reads a changed channel anew';
ALTER TABLE idem.channel ENABLE ALWAYS TRIGGER idem_channel_invalidate;

-- A change is a row more, so that what was a day stays one.
CREATE TABLE idem.calendar (
    name        text COLLATE "C",
    valid_from  timestamptz,
    time_zone   text COLLATE "C" NOT NULL,
    cut         time NOT NULL,
    closed      text[] COLLATE "C" NOT NULL,
    around_cut  interval NOT NULL,
    weekend     integer[] NOT NULL,
    created_by  name NOT NULL,
    CONSTRAINT calendar_pkey PRIMARY KEY (name, valid_from)
);
COMMENT ON TABLE idem.calendar IS 'declared calendars, a row for each change';
COMMENT ON COLUMN idem.calendar.name IS 'what channels name it by';
COMMENT ON COLUMN idem.calendar.valid_from IS 'since when it is so, until the next row';
COMMENT ON COLUMN idem.calendar.time_zone IS 'name of a time zone, whose rules for summer time it follows';
COMMENT ON COLUMN idem.calendar.cut IS 'from this time of the day on it is the next business day; 24:00: from midnight on';
COMMENT ON COLUMN idem.calendar.closed IS 'times of the day in which nothing is sent, each from-to; over midnight where to is not later';
COMMENT ON COLUMN idem.calendar.around_cut IS 'how far from the cut the provider may book on either day';
COMMENT ON COLUMN idem.calendar.weekend IS 'days of the week that are no business days, 1 is Monday';
COMMENT ON COLUMN idem.calendar.created_by IS 'role that declared it';
REVOKE ALL ON TABLE idem.calendar FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.calendar', '');

CREATE TABLE idem.closure (
    calendar    text COLLATE "C",
    during      tstzrange,
    reason      text NOT NULL,
    added_by    name NOT NULL,
    CONSTRAINT closure_pkey PRIMARY KEY (calendar, during)
);
COMMENT ON TABLE idem.closure IS 'times in which a provider does not work: holidays, maintenance';
COMMENT ON COLUMN idem.closure.calendar IS 'which calendar';
COMMENT ON COLUMN idem.closure.during IS 'from when until when';
COMMENT ON COLUMN idem.closure.reason IS 'why';
COMMENT ON COLUMN idem.closure.added_by IS 'role that added it';
REVOKE ALL ON TABLE idem.closure FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.closure', '');

CREATE TABLE idem.serial_day (
    channel     text COLLATE "C",
    day         date,
    base        bigint NOT NULL,
    CONSTRAINT serial_day_pkey PRIMARY KEY (channel, day)
);
COMMENT ON TABLE idem.serial_day IS 'for {seq:n per day}: where the numbers of a day begin';
COMMENT ON COLUMN idem.serial_day.channel IS 'which channel';
COMMENT ON COLUMN idem.serial_day.day IS 'which day, in the zone of the channel''s calendar';
COMMENT ON COLUMN idem.serial_day.base IS 'the number of the sequence before the first one of the day';
REVOKE ALL ON TABLE idem.serial_day FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.serial_day', '');
