--
-- Calendars: the days and hours of a provider.
--
SET timezone = 'UTC';
SET datestyle = 'ISO';
SELECT idem.create_calendar('bank', time_zone => 'Asia/Shanghai', cut => '23:00', closed => '{23:30-00:30,12:00-12:10}', around_cut => '15 min', weekend => '{6,7}');
SELECT idem.create_calendar('bank', time_zone => 'Asia/Shanghai', cut => '23:00', closed => '{23:30-00:30,12:00-12:10}', around_cut => '15 min', weekend => '{6,7}');
SELECT idem.create_calendar('bank', time_zone => 'Asia/Shanghai');
-- What cannot be kept.
SELECT idem.create_calendar('bad', time_zone => NULL);
SELECT idem.create_calendar('bad', time_zone => 'CST');
SELECT idem.create_calendar('bad', time_zone => '+08:00');
SELECT idem.create_calendar('bad', time_zone => 'UTC', closed => '{25:00-26:00}');
SELECT idem.create_calendar('bad', time_zone => 'UTC', closed => '{10:00-10:00}');
SELECT idem.create_calendar('bad', time_zone => 'UTC', around_cut => '-1 min');
SELECT idem.create_calendar('bad', time_zone => 'UTC', weekend => '{8}');
SELECT idem.create_calendar('bad', time_zone => 'UTC', weekend => '{1,2,3,4,5,6,7}');

-- The day: from the cut on the next one; no weekend, no holiday.
SELECT t AS local, idem.business_date('bank', (t || '+08')::timestamptz), (d).other_date, idem.opens_at('bank', (t || '+08')::timestamptz) AT TIME ZONE 'Asia/Shanghai' AS opens
    FROM unnest('{2030-07-17 11:59,2030-07-17 12:05,2030-07-17 22:40,2030-07-17 22:50,2030-07-17 23:05,2030-07-17 23:20,2030-07-17 23:45,2030-07-18 00:29,2030-07-18 00:30,2030-07-19 23:05,2030-07-20 10:00,2030-07-21 23:59,2030-07-22 00:10}'::text[]) t,
         LATERAL (SELECT idem.business_dates('bank', (t || '+08')::timestamptz)) b (d);
SELECT idem.add_closure('bank', '[2030-10-01 00:00+08, 2030-10-04 00:00+08)', 'national day');
SELECT idem.add_closure('bank', '[2030-10-01 00:00+08, 2030-10-04 00:00+08)', 'national day');
SELECT idem.add_closure('bank', '[2030-10-08 09:00+08, 2030-10-08 11:00+08)', 'maintenance');
SELECT t AS local, idem.business_date('bank', (t || '+08')::timestamptz), idem.opens_at('bank', (t || '+08')::timestamptz) AT TIME ZONE 'Asia/Shanghai' AS opens
    FROM unnest('{2030-09-30 22:00,2030-09-30 23:10,2030-09-30 23:40,2030-10-02 10:00,2030-10-03 23:30,2030-10-08 10:00}'::text[]) t;
SELECT idem.add_closure('bank', '[2018-10-01, 2018-10-04)', 'too late');
SELECT idem.add_closure('bank', '[2030-10-01, infinity)', 'for ever');
SELECT idem.add_closure('bank', 'empty', 'never');
SELECT idem.add_closure('bank', '[2030-11-01, 2030-11-02)', ' ');
SELECT idem.add_closure('nobody', '[2030-11-01, 2030-11-02)', 'x');
SELECT idem.drop_closure('bank', '[2030-10-08 09:00+08, 2030-10-08 11:00+08)', 'moved');
SELECT idem.drop_closure('bank', '[2030-10-08 09:00+08, 2030-10-08 11:00+08)', 'moved');
SELECT idem.opens_at('bank', '2030-10-08 10:00+08') AT TIME ZONE 'Asia/Shanghai' AS opens;

-- Summer time by the rules of the zone: an hour that is not there, and one that is there twice.
SELECT idem.create_calendar('berlin', time_zone => 'Europe/Berlin', cut => '02:30', closed => '{02:15-02:45}');
SELECT t, idem.business_date('berlin', t::timestamptz), idem.opens_at('berlin', t::timestamptz)
    FROM unnest('{2030-03-31 00:59+00,2030-03-31 01:00+00,2030-10-27 00:20+00,2030-10-27 00:40+00,2030-10-27 00:50+00,2030-10-27 01:20+00,2030-10-27 01:50+00}'::text[]) t;

-- A change is for the future.
SELECT idem.alter_calendar('bank', cut => '17:00');
SELECT idem.business_date('bank', now() - interval '1 day') = idem.business_date('bank', now() - interval '1 day') AS same,
       (SELECT count(*) FROM idem.calendar WHERE name = 'bank') AS versions;
SELECT idem.business_date('bank', '2030-07-17 18:00+08');
SELECT c.cut FROM idem.calendar_at('bank', now() - interval '1 hour') c;
SELECT idem.alter_calendar('bank', weekend => '{9}');
SELECT idem.alter_calendar('nobody', cut => '17:00');
SELECT idem.business_date('nobody');
SELECT action, kind, name, arguments, reason FROM idem.change_log WHERE kind IN ('calendar', 'closure') AND name = 'bank' ORDER BY n;

-- Attempts carry the provider's day.
SET client_min_messages = warning;
SELECT count(*) AS codes FROM idem.define_return_codes('cal/pay', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| 05 | failed |\n');
SELECT count(*) AS codes FROM idem.define_return_codes('cal/file', E'| code | meaning |\n| --- | --- |\n| 00 | succeeded |\n| none | absent |\n');
SELECT idem.create_calendar('always', time_zone => 'UTC', around_cut => '12 hours');
SELECT count(*) AS codes FROM idem.define_return_codes('cal/query', E'| code | meaning |\n| --- | --- |\n| none | absent |\n');
SELECT idem.create_channel('cal', send => 'cal/pay', inquire => 'cal/query', statement => 'cal/file', calendar => 'always', absence => 'statement', quiet => '0', serial => '{key}', serial_per => 'key', echo => '{serial}');
SELECT idem.create_scope('cal pay', 'outside', '{}', channels => '{cal}', quiet => '0');
SELECT token FROM idem.reserve('cal pay', 'k');
CALL idem.dispatch('cal pay', 'k', 1) \gset
SELECT abs(:'business_date'::date - :'other_date'::date) AS beside, :'business_date'::date = idem.business_date('always', :'dispatched_at') AS day;
-- An absence speaks of both days, and here by a statement only.
SELECT outcome, detail FROM idem.resolve('cal pay', 'k', via => 'cal/file', answer => '{"code": "none", "asked": {"serial": "k"}}');
SELECT outcome, detail FROM idem.resolve('cal pay', 'k', via => 'cal/file', answer => jsonb_build_object('code', 'none', 'asked', jsonb_build_object('serial', 'k', 'business_date', :'business_date'::date)));
SELECT outcome, state FROM idem.resolve('cal pay', 'k', via => 'cal/query', answer => jsonb_build_object('code', 'none', 'asked', jsonb_build_object('serial', 'k', 'business_date', ARRAY[:'business_date'::date, :'other_date'::date])));
SELECT outcome, state FROM idem.resolve('cal pay', 'k', via => 'cal/file', answer => jsonb_build_object('code', 'none', 'asked', jsonb_build_object('serial', 'k', 'business_date', ARRAY[:'business_date'::date, :'other_date'::date])));
-- The provider's own date wins.
SELECT token FROM idem.reserve('cal pay', 'd');
CALL idem.dispatch('cal pay', 'd', 1) \gset
SELECT outcome, business_date = :'other_date'::date AS theirs, other_date FROM idem.complete('cal pay', 'd', 1, answer => jsonb_build_object('code', '00', 'serial', 'd', 'business_date', :'other_date'::date));
SELECT business_date = :'other_date'::date AS theirs, other_date FROM idem.lookup('cal pay', 'd');

-- In a closed time nothing is dispatched, and nothing changes; results go on.
SELECT token FROM idem.reserve('cal pay', 'c');
CALL idem.dispatch('cal pay', 'c', 1) \gset
-- Whoever is to inquire is told the days.
UPDATE idem.reservation SET due_at = now() - interval '1 s' WHERE key = 'c';
SELECT key, why, business_date = :'business_date'::date AS day, other_date = :'other_date'::date AS beside, dispatched_at = :'dispatched_at'::timestamptz AS sent FROM idem.due('cal pay');
SELECT key, business_date = :'business_date'::date AS day, other_date = :'other_date'::date AS beside, channel, serial FROM idem.open_claims WHERE scope = 'cal pay' AND key = 'c';
SELECT token FROM idem.reserve('cal pay', 'e');
INSERT INTO idem.closure VALUES ('always', tstzrange(now() - interval '1 hour', now() + interval '1 hour'), 'now', 'me');
CALL idem.dispatch('cal pay', 'e', 1) \gset
\echo :outcome :granted :settled :state
SELECT :'retry_at'::timestamptz = (SELECT upper(during) FROM idem.closure WHERE reason = 'now') AS until;
SELECT outcome FROM idem.complete('cal pay', 'c', 1, answer => '{"code": "00", "serial": "c"}');
SELECT outcome FROM idem.fence('cal pay', 'f', 'cancelled');
-- A key that is reserved waits where it is; nobody hears that it is overdue before it could go.
UPDATE idem.reservation SET due_at = now() - interval '2 hours' WHERE key = 'e';
SELECT key, why FROM idem.due('cal pay');
SELECT object, finding FROM idem.claim_problems WHERE object = 'scope "cal pay"' AND finding ~ 'overdue';
-- One that is under way ends now.
SELECT idem.drop_closure('always', (SELECT during FROM idem.closure WHERE reason = 'now'), 'they are back');
SELECT object, regexp_replace(finding, 'since .*:', 'since ...:') AS finding FROM idem.claim_problems WHERE object = 'scope "cal pay"' AND finding ~ 'overdue';
SELECT key, why FROM idem.due('cal pay');
CALL idem.dispatch('cal pay', 'e', 1) \gset
\echo :outcome :granted
SELECT idem.drop_calendar('always');
SELECT idem.drop_calendar('bank');
SELECT idem.drop_calendar('berlin');
