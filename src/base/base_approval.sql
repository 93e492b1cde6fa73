
-- ---------------------------------------------------------------------------
-- base: what one person may not do alone
-- ---------------------------------------------------------------------------

-- What holds in the whole database; written by functions of room control.
CREATE TABLE idem.policy (
    name  text COLLATE "C"
          CONSTRAINT policy_pkey PRIMARY KEY
          CONSTRAINT policy_name_check CHECK (name IN ('approval')),
    since timestamptz NOT NULL,
    role  name NOT NULL
);
COMMENT ON TABLE idem.policy IS 'what holds in the whole database, a row for each policy that is on';
COMMENT ON COLUMN idem.policy.name IS 'approval: what loosens or overrules needs a second person (idem.require_approval)';
COMMENT ON COLUMN idem.policy.since IS 'since when, by the clock of the database';
COMMENT ON COLUMN idem.policy.role IS 'session user who turned it on';
REVOKE ALL ON TABLE idem.policy FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.policy', '');

-- Append-only but for its use and its confirmation.
CREATE TABLE idem.approval (
    id        uuid
              CONSTRAINT approval_pkey PRIMARY KEY,
    at        timestamptz NOT NULL,
    person    text COLLATE "C" NOT NULL,
    role      name NOT NULL,
    action    text COLLATE "C" NOT NULL,
    object    text COLLATE "C" NOT NULL,
    digest    text COLLATE "C" NOT NULL
              CONSTRAINT approval_digest_check CHECK (digest ~ '^[0-9a-f]{64}$'),
    reason    text NOT NULL,
    emergency text,
    used_at   timestamptz,
    used_by   text COLLATE "C",
    confirmed_at timestamptz,
    confirmed_by text COLLATE "C",
    confirmed_reason text
);
COMMENT ON TABLE idem.approval IS 'what was approved, by whom, and what became of it';
COMMENT ON COLUMN idem.approval.id IS 'which approval';
COMMENT ON COLUMN idem.approval.at IS 'when, by the clock of the database';
COMMENT ON COLUMN idem.approval.person IS 'who approved: as the server authenticated the login';
COMMENT ON COLUMN idem.approval.role IS 'session user of that person';
COMMENT ON COLUMN idem.approval.action IS 'what was to be done';
COMMENT ON COLUMN idem.approval.object IS 'to what';
COMMENT ON COLUMN idem.approval.digest IS 'SHA-256 of action, object, arguments and the state of the object';
COMMENT ON COLUMN idem.approval.reason IS 'why it was approved';
COMMENT ON COLUMN idem.approval.emergency IS 'why one person did it alone; NULL: nobody did';
COMMENT ON COLUMN idem.approval.used_at IS 'when the call was made; NULL: not yet';
COMMENT ON COLUMN idem.approval.used_by IS 'who made it';
COMMENT ON COLUMN idem.approval.confirmed_at IS 'of an emergency: when another person approved it afterwards';
COMMENT ON COLUMN idem.approval.confirmed_by IS 'of an emergency: who did';
COMMENT ON COLUMN idem.approval.confirmed_reason IS 'of an emergency: why';
REVOKE ALL ON TABLE idem.approval FROM PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('idem.approval', '');
