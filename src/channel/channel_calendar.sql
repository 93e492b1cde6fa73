
-- ---------------------------------------------------------------------------
-- channel: the days and hours of a provider
-- ---------------------------------------------------------------------------

-- As it is at a time: the newest row that is not of later.
CREATE FUNCTION idem.calendar_at(calendar text, at timestamptz) RETURNS SETOF idem.calendar
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 1
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT * FROM idem.calendar c
        WHERE c.name = calendar_at.calendar AND c.valid_from <= calendar_at.at
        ORDER BY c.valid_from DESC LIMIT 1;
    END;
COMMENT ON FUNCTION idem.calendar_at(text, timestamptz) IS
    'a calendar as it is at a time, no row if there is none of this name';
REVOKE ALL ON FUNCTION idem.calendar_at(text, timestamptz) FROM PUBLIC;

-- A day on which nothing is booked: at the weekend, or closed from midnight to
-- midnight.
CREATE FUNCTION idem.is_day_off(calendar text, time_zone text, weekend integer[], day date) RETURNS boolean
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN extract(isodow FROM day)::integer = ANY (weekend)
           OR coalesce((SELECT range_agg(c.during) FROM idem.closure c
                        WHERE c.calendar = is_day_off.calendar
                              AND c.during && tstzrange(day::timestamp AT TIME ZONE time_zone, (day + 1)::timestamp AT TIME ZONE time_zone))
                       @> tstzrange(day::timestamp AT TIME ZONE time_zone, (day + 1)::timestamp AT TIME ZONE time_zone), false);
COMMENT ON FUNCTION idem.is_day_off(text, text, integer[], date) IS 'is a day at the weekend, or closed as a whole?';
REVOKE ALL ON FUNCTION idem.is_day_off(text, text, integer[], date) FROM PUBLIC;

CREATE FUNCTION idem.business_date(calendar text, at timestamptz DEFAULT pg_catalog.clock_timestamp()) RETURNS date
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    RETURN (WITH RECURSIVE c AS MATERIALIZED (
                SELECT * FROM idem.calendar_at(calendar, at)),
            d (day) AS (
                SELECT l.day + (at >= (l.day + c.cut) AT TIME ZONE c.time_zone)::integer
                FROM c, LATERAL (SELECT (at AT TIME ZONE c.time_zone)::date) l (day)
                UNION ALL
                SELECT d.day + 1 FROM d, c WHERE idem.is_day_off(c.name, c.time_zone, c.weekend, d.day))
            SELECT max(day) FROM d);
COMMENT ON FUNCTION idem.business_date(text, timestamptz) IS
    'the day on which a provider books what is sent at a time: from the cut on the next one, and the next that is no day off.
Out: NULL for a calendar that does not exist, or at a time before it did.';
REVOKE ALL ON FUNCTION idem.business_date(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION idem.business_dates(calendar text, at timestamptz, OUT business_date date, OUT other_date date)
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    BEGIN ATOMIC
        SELECT d.day, nullif(CASE d.day WHEN idem.business_date(calendar, at - c.around_cut) THEN idem.business_date(calendar, at + c.around_cut)
                                        ELSE idem.business_date(calendar, at - c.around_cut) END, d.day)
        FROM idem.calendar_at(calendar, at) c, LATERAL (SELECT idem.business_date(calendar, at)) d (day);
    END;
COMMENT ON FUNCTION idem.business_dates(text, timestamptz) IS
    'the business date of a time, and the one beside it if the time is close to the cut';
REVOKE ALL ON FUNCTION idem.business_dates(text, timestamptz) FROM PUBLIC;

-- How many business days come after a day, until another one.
CREATE FUNCTION idem.business_days(calendar text, since date, until date) RETURNS integer
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN (SELECT count(*)::integer
            FROM idem.calendar_at(calendar, clock_timestamp()) c,
                 generate_series(since + 1, until, interval '1 day') d (day)
            WHERE NOT idem.is_day_off(c.name, c.time_zone, c.weekend, d.day::date));
COMMENT ON FUNCTION idem.business_days(text, date, date) IS 'how many business days come after one day, until and with another one';
REVOKE ALL ON FUNCTION idem.business_days(text, date, date) FROM PUBLIC;

-- The end of each time that is closed at a moment.
CREATE FUNCTION idem.closed_until(calendar text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN (SELECT max(u.until)
            FROM idem.calendar_at(calendar, at) c,
                 LATERAL (SELECT at AT TIME ZONE c.time_zone) l (here),
                 LATERAL (
                     SELECT upper(x.during) FROM idem.closure x WHERE x.calendar = c.name AND x.during @> at
                     UNION ALL
                     SELECT (l.here::date + 1)::timestamp AT TIME ZONE c.time_zone
                     WHERE extract(isodow FROM l.here)::integer = ANY (c.weekend)
                     UNION ALL
                     SELECT (l.here::date + (w.till <= w.since AND l.here::time >= w.since)::integer + w.till) AT TIME ZONE c.time_zone
                     FROM unnest(c.closed) p, LATERAL (SELECT split_part(p, '-', 1)::time, split_part(p, '-', 2)::time) w (since, till)
                     WHERE CASE WHEN w.since < w.till THEN l.here::time >= w.since AND l.here::time < w.till
                                ELSE l.here::time >= w.since OR l.here::time < w.till END) u (until)
            WHERE u.until > at);
COMMENT ON FUNCTION idem.closed_until(text, timestamptz) IS 'the latest end of what is closed at a time; NULL: it is open';
REVOKE ALL ON FUNCTION idem.closed_until(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION idem.opens_at(calendar text, at timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    RETURN (WITH RECURSIVE o (moment, n) AS (
                SELECT at, 0
                UNION ALL
                SELECT idem.closed_until(calendar, o.moment), o.n + 1 FROM o
                WHERE o.n < 1000 AND idem.closed_until(calendar, o.moment) IS NOT NULL)
            SELECT max(moment) FROM o);
COMMENT ON FUNCTION idem.opens_at(text, timestamptz) IS 'the first time, from this one on, at which a calendar is open';
REVOKE ALL ON FUNCTION idem.opens_at(text, timestamptz) FROM PUBLIC;
