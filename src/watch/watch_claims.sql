-- ---------------------------------------------------------------------------
-- watch: keys that are open
-- ---------------------------------------------------------------------------

-- By the index of what is due: as cheap as there are few keys open.  The
-- channel of a key that was not dispatched yet is known where its scope has
-- only one.
CREATE VIEW idem.watched_claims AS
SELECT s.name AS scope,
       coalesce(a.channel, CASE pg_catalog.cardinality(s.channels) WHEN 1 THEN s.channels[1] END) AS channel,
       CASE r.state WHEN 'r' THEN 'reserved' WHEN 'd' THEN 'dispatched' WHEN 'u' THEN 'unknown'
                    WHEN 'l' THEN 'released' ELSE 'for a person' END AS state,
       r.first_seen, r.due_at, r.request
FROM idem.reservation r
JOIN idem.scope s ON s.id = r.scope
LEFT JOIN idem.attempt a ON a.scope = r.scope AND a.key = r.key AND a.attempt = r.attempt
WHERE r.due_at IS NOT NULL;
COMMENT ON VIEW idem.watched_claims IS 'every key of an effect outside that is open, as the views that count see it';
REVOKE ALL ON TABLE idem.watched_claims FROM PUBLIC;

CREATE VIEW idem.stat_claims AS
SELECT w.scope, w.channel, w.state, pg_catalog.count(*) AS keys, pg_catalog.min(w.first_seen) AS oldest,
       pg_catalog.count(*) FILTER (WHERE w.due_at < pg_catalog.clock_timestamp()) AS overdue
FROM idem.watched_claims w
GROUP BY w.scope, w.channel, w.state;
COMMENT ON VIEW idem.stat_claims IS 'how many keys of effects outside are open, a row for each scope, channel and state';
COMMENT ON COLUMN idem.stat_claims.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_claims.channel IS 'the channel; NULL: none, or not known before the dispatch';
COMMENT ON COLUMN idem.stat_claims.state IS 'reserved, dispatched, unknown or released; for a person: final, with a late result or a reversal needed';
COMMENT ON COLUMN idem.stat_claims.keys IS 'how many';
COMMENT ON COLUMN idem.stat_claims.oldest IS 'when the first of them was reserved first';
COMMENT ON COLUMN idem.stat_claims.overdue IS 'how many of them somebody should have looked at by now';
REVOKE ALL ON TABLE idem.stat_claims FROM PUBLIC;

-- Cumulative, as histograms of Prometheus are.
CREATE VIEW idem.stat_claim_ages AS
SELECT w.scope, b.le, pg_catalog.count(*) FILTER (WHERE w.first_seen > pg_catalog.clock_timestamp() - b.age OR b.age IS NULL) AS keys
FROM idem.watched_claims w
CROSS JOIN (VALUES ('60', interval '1 minute'), ('600', interval '10 minutes'), ('3600', interval '1 hour'),
                   ('86400', interval '24 hours'), ('604800', interval '168 hours'), ('+Inf', NULL)) b (le, age)
GROUP BY w.scope, b.le;
COMMENT ON VIEW idem.stat_claim_ages IS 'how many open keys are not older than so many seconds, a row for each scope and age';
COMMENT ON COLUMN idem.stat_claim_ages.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_claim_ages.le IS 'age in seconds since they were first reserved; +Inf: all of them';
COMMENT ON COLUMN idem.stat_claim_ages.keys IS 'how many keys have this age or less';
REVOKE ALL ON TABLE idem.stat_claim_ages FROM PUBLIC;

-- The amount is the member that the channel declares, else "amount"; the
-- currency is the member "currency", where its value is one.  What else the
-- request holds goes nowhere.
CREATE VIEW idem.stat_amounts AS
SELECT w.scope, w.channel, w.state, c.code AS currency, pg_catalog.count(*) AS keys,
       pg_catalog.sum(CASE WHEN v.amount ~ '^-?\d{1,30}([.]\d{1,30})?$' THEN v.amount::numeric END) AS amount
FROM (SELECT w.scope, w.channel, w.state, w.request,
             coalesce((SELECT c.amount FROM idem.channel c WHERE c.name = w.channel), 'amount') AS member
      FROM idem.watched_claims w) w
CROSS JOIN LATERAL (SELECT w.request ->> w.member) v (amount)
LEFT JOIN idem.currency c ON c.code = w.request ->> 'currency'
GROUP BY w.scope, w.channel, w.state, c.code;
COMMENT ON VIEW idem.stat_amounts IS 'what open keys are about, a row for each scope, channel, state and currency';
COMMENT ON COLUMN idem.stat_amounts.scope IS 'the scope';
COMMENT ON COLUMN idem.stat_amounts.channel IS 'as in idem.stat_claims';
COMMENT ON COLUMN idem.stat_amounts.state IS 'as in idem.stat_claims';
COMMENT ON COLUMN idem.stat_amounts.currency IS 'member currency of the request, where idem.currency has it; NULL: not known';
COMMENT ON COLUMN idem.stat_amounts.keys IS 'how many keys';
COMMENT ON COLUMN idem.stat_amounts.amount IS 'sum of the member that the channel names (amount of idem.create_channel), else of "amount"; NULL: no request has one';
REVOKE ALL ON TABLE idem.stat_amounts FROM PUBLIC;

-- Reads every answer that was kept.
CREATE VIEW idem.stat_codes AS
SELECT u.interface, pg_catalog.count(*) AS codes, pg_catalog.sum(u.seen)::bigint AS seen, pg_catalog.max(u.last_seen) AS last_seen
FROM idem.unlisted_codes u
GROUP BY u.interface;
COMMENT ON VIEW idem.stat_codes IS 'how many return codes came that no table lists, a row for each interface; idem.unlisted_codes has the codes';
COMMENT ON COLUMN idem.stat_codes.interface IS 'the interface by which they came';
COMMENT ON COLUMN idem.stat_codes.codes IS 'how many different ones';
COMMENT ON COLUMN idem.stat_codes.seen IS 'how often they came';
COMMENT ON COLUMN idem.stat_codes.last_seen IS 'when the last one came';
REVOKE ALL ON TABLE idem.stat_codes FROM PUBLIC;
