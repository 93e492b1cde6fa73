-- ---------------------------------------------------------------------------
-- channel: what was declared, as a script
-- ---------------------------------------------------------------------------

-- What was a day before stays behind: a calendar as it is now, and what is
-- closed from now on.
CREATE VIEW idem.calendar_declarations AS
SELECT 40 AS rank, c.name,
       'SELECT idem.create_calendar(' || pg_catalog.concat_ws(', ', pg_catalog.quote_literal(c.name),
           'time_zone => ' || pg_catalog.quote_literal(c.time_zone),
           'cut => ' || pg_catalog.quote_literal(c.cut),
           'closed => ' || pg_catalog.quote_literal(c.closed),
           'around_cut => ' || pg_catalog.quote_literal(c.around_cut),
           'weekend => ' || pg_catalog.quote_literal(c.weekend)) || ');' AS statement
FROM (SELECT DISTINCT ON (name) * FROM idem.calendar ORDER BY name, valid_from DESC) c
UNION ALL
SELECT 41, c.calendar, pg_catalog.format('SELECT idem.add_closure(%L, during => %L, reason => %L);', c.calendar, c.during, c.reason)
FROM idem.closure c
WHERE pg_catalog.lower(c.during) > pg_catalog.now();
COMMENT ON VIEW idem.calendar_declarations IS 'calendars, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.calendar_declarations FROM PUBLIC;

CREATE VIEW idem.channel_declarations AS
SELECT 50 AS rank, c.name,
       'SELECT idem.create_channel(' || pg_catalog.concat_ws(', ', pg_catalog.quote_literal(c.name),
           'send => ' || pg_catalog.quote_literal(c.send),
           'inquire => ' || pg_catalog.quote_literal(c.inquire),
           'notice => ' || pg_catalog.quote_literal(c.notice),
           'statement => ' || pg_catalog.quote_literal(c.statement),
           'serial => ' || pg_catalog.quote_literal(c.serial),
           'serial_per => ' || pg_catalog.quote_literal(c.serial_per),
           'serial_max => ' || c.serial_max,
           'serial_charset => ' || pg_catalog.quote_literal(c.serial_charset),
           'first_serial => ' || c.first_serial,
           'echo => ' || pg_catalog.quote_literal(c.echo),
           'amount => ' || pg_catalog.quote_literal(c.amount),
           'absence => ' || pg_catalog.quote_literal(c.absence),
           'quiet => ' || pg_catalog.quote_literal(c.quiet),
           'partial => ' || pg_catalog.quote_literal(c.partial),
           'presume_days => ' || c.presume_days,
           'idempotency_window => ' || pg_catalog.quote_literal(c.idempotency_window),
           'calendar => ' || pg_catalog.quote_literal(c.calendar)) || ');' AS statement
FROM idem.channel c;
COMMENT ON VIEW idem.channel_declarations IS 'channels, as idem.declarations() writes them';
REVOKE ALL ON TABLE idem.channel_declarations FROM PUBLIC;
