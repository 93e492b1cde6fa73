
-- ---------------------------------------------------------------------------
-- key: what is only ever added for a key
-- ---------------------------------------------------------------------------

-- The two logs number the rows of a key from 1 on, without a sequence: who
-- writes holds a lock on the key in the log (see key_log.c).  A scope of the
-- same name that is declared anew has the same id and another created_at.
CREATE TABLE idem.late_result (
    scope    integer NOT NULL,
    key      text COLLATE "C" NOT NULL,
    n        integer NOT NULL,
    scope_created_at timestamptz NOT NULL,
    at       timestamptz NOT NULL,
    role     name NOT NULL,
    token    bigint,
    attempt  integer,
    outcome  text COLLATE "C" NOT NULL,
    response jsonb,
    evidence jsonb,
    asked_at timestamptz,
    via      text COLLATE "C",
    codes    text[] COLLATE "C",
    mismatch text[] COLLATE "C",
    state    text COLLATE "C" NOT NULL,
    newest   bigint NOT NULL,
    CONSTRAINT late_result_pkey PRIMARY KEY (scope, key, n)
);
COMMENT ON TABLE idem.late_result IS 'results that came too late or contradict what is known, kept as evidence, append-only';
COMMENT ON COLUMN idem.late_result.scope IS 'id of the scope';
COMMENT ON COLUMN idem.late_result.key IS 'the key';
COMMENT ON COLUMN idem.late_result.n IS 'order of arrival among those of the key, from 1';
COMMENT ON COLUMN idem.late_result.scope_created_at IS 'created_at of the scope: of an earlier scope of the name, if it is not that of idem.scope';
COMMENT ON COLUMN idem.late_result.at IS 'when it came, by the clock of the database';
COMMENT ON COLUMN idem.late_result.role IS 'session user who brought it';
COMMENT ON COLUMN idem.late_result.token IS 'token it came with; NULL: by idem.resolve';
COMMENT ON COLUMN idem.late_result.attempt IS 'attempt it is about; NULL: not known';
COMMENT ON COLUMN idem.late_result.outcome IS 'what it says';
COMMENT ON COLUMN idem.late_result.response IS 'the provider''s answer it brought';
COMMENT ON COLUMN idem.late_result.evidence IS 'the evidence it brought';
COMMENT ON COLUMN idem.late_result.asked_at IS 'of idem.resolve: when the provider was asked, as the caller said, else when the evidence came';
COMMENT ON COLUMN idem.late_result.via IS 'interface of the provider it came by; NULL: not said';
COMMENT ON COLUMN idem.late_result.codes IS 'return code of the provider, a layer an element; NULL: none';
COMMENT ON COLUMN idem.late_result.mismatch IS 'members in which it is not about this request; NULL: none';
COMMENT ON COLUMN idem.late_result.state IS 'state of the key that it met, and did not change';
COMMENT ON COLUMN idem.late_result.newest IS 'newest token of the key at that time';
REVOKE ALL ON TABLE idem.late_result FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.late_result', '');

CREATE TABLE idem.evidence (
    scope    integer NOT NULL,
    key      text COLLATE "C" NOT NULL,
    n        integer NOT NULL,
    scope_created_at timestamptz NOT NULL,
    at       timestamptz NOT NULL,
    role     name NOT NULL,
    action   text COLLATE "C" NOT NULL,
    outcome  text COLLATE "C" NOT NULL,
    attempt  integer,
    evidence jsonb,
    response jsonb,
    reason   text,
    asked_at timestamptz,
    via      text COLLATE "C",
    codes    text[] COLLATE "C",
    settled_amount numeric,
    CONSTRAINT evidence_pkey PRIMARY KEY (scope, key, n)
);
COMMENT ON TABLE idem.evidence IS 'why a key was resolved, fenced or confirmed, and by whom, append-only';
COMMENT ON COLUMN idem.evidence.scope IS 'id of the scope';
COMMENT ON COLUMN idem.evidence.key IS 'the key';
COMMENT ON COLUMN idem.evidence.n IS 'order of arrival among those of the key, from 1';
COMMENT ON COLUMN idem.evidence.scope_created_at IS 'created_at of the scope: of an earlier scope of the name, if it is not that of idem.scope';
COMMENT ON COLUMN idem.evidence.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.evidence.role IS 'session user who did it';
COMMENT ON COLUMN idem.evidence.action IS 'resolve, complete, correct, presume or fence; confirm: a suspected duplicate is a payment of its own';
COMMENT ON COLUMN idem.evidence.outcome IS 'what the call was answered';
COMMENT ON COLUMN idem.evidence.attempt IS 'attempt it is about; NULL of a fence';
COMMENT ON COLUMN idem.evidence.evidence IS 'the evidence given';
COMMENT ON COLUMN idem.evidence.response IS 'the provider''s answer given';
COMMENT ON COLUMN idem.evidence.reason IS 'the reason given, of a fence, of a confirmation or of force';
COMMENT ON COLUMN idem.evidence.asked_at IS 'when the provider was asked, as the caller said, else when the evidence came; NULL of a fence';
COMMENT ON COLUMN idem.evidence.via IS 'interface of the provider that was asked; NULL: not said';
COMMENT ON COLUMN idem.evidence.codes IS 'return code of the provider, a layer an element; NULL: none';
COMMENT ON COLUMN idem.evidence.settled_amount IS 'the amount that the answer names, where it is not that of the request';
REVOKE ALL ON TABLE idem.evidence FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.evidence', '');
