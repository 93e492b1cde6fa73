
-- ---------------------------------------------------------------------------
-- control: two persons
-- ---------------------------------------------------------------------------

CREATE FUNCTION idem.require_approval(required boolean) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_require_approval'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.require_approval(boolean) IS
    'true: from the commit on, what loosens or overrules needs the approval of another person: loosen of definitions, alter_scope, alter_channel and drop_scope with force, drop_guard, correct, confirm_suspects, confirmed by an operator, resume, adopt_site, set_site where one is set, and require_approval(false). Off in a new database. Kept in idem.change_log. For admins.
Errors: 22004 required null; 42501 the server has not authenticated the session, or an approval is missing; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.policy.';
REVOKE ALL ON FUNCTION idem.require_approval(boolean) FROM PUBLIC;

CREATE FUNCTION idem.approve(action text, object text, digest text, reason text, emergency text DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'idem_approve'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION idem.approve(text, text, text, text, text) IS
    'approves a call that was refused for want of a second person; for operators. The call then passes once, within a day, if another person makes it and everything is as it was.
In: action, object and digest as the HINT of the refused call has them; whoever makes the same call is shown the same digest. emergency: the reason to do it alone: then it passes for the same person, too, and is an error of idem.doctor() until another person has approved it by the same call without emergency.
Out: approved, or confirmed: an emergency of somebody else.
Errors: 22004 argument null; 22023 a digest that is none, a reason blank or longer than 1,000 characters; 42501 the server has not authenticated the session; 25006 on a standby or in a read-only transaction.
Locks: ROW EXCLUSIVE on idem.approval.';
REVOKE ALL ON FUNCTION idem.approve(text, text, text, text, text) FROM PUBLIC;

-- The doctor's.
CREATE VIEW idem.approval_problems AS
SELECT 'error' AS severity, pg_catalog.format('approval of %s', a.object) AS object,
       pg_catalog.format('%s by %s alone since %s, in an emergency: %s', a.action, a.person, a.at, a.emergency) AS finding,
       pg_catalog.format('another operator looks at it, then SELECT idem.approve(%L, %L, %L, reason => ...)',
                         a.action, a.object, a.digest) AS remedy
FROM idem.approval a
WHERE a.emergency IS NOT NULL AND a.confirmed_at IS NULL
      AND (a.used_at IS NOT NULL OR a.at > pg_catalog.clock_timestamp() - interval '1 day');
COMMENT ON VIEW idem.approval_problems IS 'what one person has approved alone and no other has confirmed, as findings of idem.doctor()';
REVOKE ALL ON TABLE idem.approval_problems FROM PUBLIC;
