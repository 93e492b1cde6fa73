
-- ---------------------------------------------------------------------------
-- control: who may call what
-- ---------------------------------------------------------------------------

-- The one place that says it, a row for every function of schema idem that is
-- no trigger function and does not belong to money: sql/control_rights.sql
-- fails for one that is not here.
--
-- runtime: applications.  operator: people who overrule.  admin: people who
-- declare.  monitor: programs that count.  owner: open to PUBLIC, demands
-- ownership of the table or the machine.  public: reads or computes as the
-- caller, harms nobody.  extension: nobody but the owner of the objects of the
-- extension; grant_operator and grant_admin also for its own owner, whom
-- grant_admin lets call them (the end of the script, src/idem.sql).
-- A function may be for several of the first four.  Trigger functions are
-- PUBLIC (base.sql).
CREATE VIEW idem.rights (function, audience) AS VALUES
    ('claim', 'runtime'),
    ('complete', 'runtime'),
    ('claim_many', 'runtime'),
    ('lookup', 'runtime'),
    ('reserve', 'runtime'),
    ('dispatch', 'runtime'),
    ('heartbeat', 'runtime'),
    ('release', 'runtime'),
    ('resolve', 'runtime'),
    ('fence', 'runtime'),
    ('due', 'runtime'),
    ('transition', 'runtime'),
    ('history', 'runtime'),
    ('pause', 'operator'),
    ('resume', 'operator'),
    ('approve', 'operator'),
    ('adopt_site', 'operator'),
    ('misplaced', 'operator'),
    ('misplaced', 'admin'),
    ('set_site', 'admin'),
    ('resolve', 'operator'),
    ('fence', 'operator'),
    ('lookup', 'operator'),
    ('confirm_suspects', 'operator'),
    ('presume', 'runtime'),
    ('correct', 'operator'),
    ('reconsider', 'operator'),
    ('business_date', 'runtime'),
    ('business_date', 'operator'),
    ('create_channel', 'admin'),
    ('alter_channel', 'admin'),
    ('drop_channel', 'admin'),
    ('create_calendar', 'admin'),
    ('alter_calendar', 'admin'),
    ('drop_calendar', 'admin'),
    ('add_closure', 'admin'),
    ('drop_closure', 'admin'),
    ('reconcile', 'runtime'),
    ('reconcile', 'operator'),
    ('settle_difference', 'operator'),
    ('create_reconciliation', 'admin'),
    ('alter_reconciliation', 'admin'),
    ('drop_reconciliation', 'admin'),
    ('create_scope', 'admin'),
    ('alter_scope', 'admin'),
    ('drop_scope', 'admin'),
    ('retire', 'admin'),
    ('adopt_keys', 'admin'),
    ('doctor', 'admin'),
    ('declarations', 'admin'),
    ('grant_runtime', 'admin'),
    ('grant_monitor', 'admin'),
    ('require_approval', 'admin'),
    ('overdue_limits', 'operator'),
    ('overdue_limits', 'admin'),
    ('lapsed_holds', 'operator'),
    ('lapsed_holds', 'admin'),
    ('grant_operator', 'extension'),
    ('grant_admin', 'extension'),
    ('count_states', 'monitor'),
    ('count_states', 'admin'),
    ('count_overdue', 'monitor'),
    ('count_overdue', 'admin'),
    ('count_findings', 'monitor'),
    ('count_findings', 'admin'),
    ('count_guards', 'monitor'),
    ('count_guards', 'admin'),
    ('count_excess', 'monitor'),
    ('count_excess', 'admin'),
    ('status', 'monitor'),
    ('status', 'admin'),
    ('status', 'operator'),
    ('limit_excess', 'extension'),
    ('stuck_rows', 'operator'),
    ('stuck_rows', 'admin'),
    ('check_rows', 'extension'),
    ('citus_findings', 'extension'),
    ('findings', 'extension'),
    ('stuck_states', 'extension'),
    ('state_counts', 'extension'),
    ('guard_declaration', 'extension'),
    ('largest_value', 'extension'),
    ('known_key_time', 'extension'),
    ('calendar_at', 'extension'),
    ('business_days', 'extension'),
    ('is_day_off', 'extension'),
    ('business_dates', 'extension'),
    ('closed_until', 'extension'),
    ('opens_at', 'extension'),
    ('channel_flaw', 'extension'),
    ('calendar_flaw', 'extension'),
    ('reconsider_key', 'extension'),
    ('schema_words', 'extension'),
    ('days_to_reconcile', 'operator'),
    ('days_to_reconcile', 'admin'),
    ('days_to_reconcile', 'monitor'),
    ('column_type', 'extension'),
    ('is_unique', 'extension'),
    ('neighbour_days', 'extension'),
    ('end_of_day', 'extension'),
    ('compared', 'extension'),
    ('reconciliation_flaw', 'extension'),
    ('reconciliation_query', 'extension'),
    ('define_machine', 'owner'),
    ('define_return_codes', 'owner'),
    ('guard_states', 'owner'),
    ('guard_limit', 'owner'),
    ('guard_balance', 'owner'),
    ('guard_journal', 'owner'),
    ('guard_parent_state', 'owner'),
    ('apply_balances', 'owner'),
    ('validate_guard', 'owner'),
    ('guard_fixed', 'owner'),
    ('guard_kept', 'owner'),
    ('guard_claimed', 'owner'),
    ('guard_keys', 'owner'),
    ('drop_guard', 'owner'),
    ('rearm', 'owner'),
    ('remaining', 'public'),
    ('available', 'public'),
    ('check_journals', 'public'),
    ('check_machine', 'public'),
    ('machine_diagram', 'public'),
    ('machine_dot', 'public'),
    ('machine_table', 'public'),
    ('check_return_codes', 'public'),
    ('return_codes', 'public'),
    ('listed_codes', 'public'),
    ('meaning_of', 'public'),
    ('key', 'public'),
    ('key_time', 'public'),
    ('key_digest', 'public'),
    ('minor_units', 'public'),
    ('guard_kinds', 'public'),
    ('trigger_settings', 'public'),
    ('setting', 'public'),
    ('settings_problem', 'public'),
    ('guard_identity', 'public'),
    ('setting_columns', 'public'),
    ('made_name', 'public'),
    ('citus_part', 'public'),
    ('trigger_print', 'public'),
    ('problems_of', 'public');
COMMENT ON VIEW idem.rights IS 'which functions of idem are for whom; what idem.grant_runtime, grant_operator, grant_admin and grant_monitor grant';
COMMENT ON COLUMN idem.rights.function IS 'name of the function in schema idem';
COMMENT ON COLUMN idem.rights.audience IS 'runtime, operator, admin, monitor, owner (of the table or machine), public, or extension: its owner only';

-- The same for reading tables and views; whoever may write one is the owner of
-- the extension.  An admin also reads every table that goes into a dump, so
-- that the owner of a database can dump it.
CREATE VIEW idem.rights_to_read (relation, audience) AS VALUES
    ('open_claims', 'operator'),
    ('late_result', 'operator'),
    ('evidence', 'operator'),
    ('scope', 'operator'),
    ('pauses', 'operator'),
    ('approval', 'operator'),
    ('stuck', 'operator'),
    ('stuck', 'admin'),
    ('suspects', 'operator'),
    ('suspects', 'admin'),
    ('stat_suspects', 'admin'),
    ('stat_suspects', 'monitor'),
    ('site', 'operator'),
    ('open_claims', 'admin'),
    ('change_log', 'admin'),
    ('pauses', 'admin'),
    ('stat_claims', 'admin'),
    ('channel', 'operator'),
    ('unlisted_codes', 'operator'),
    ('channel_coverage', 'operator'),
    ('unlisted_codes', 'admin'),
    ('channel_coverage', 'admin'),
    ('channel_coverage', 'monitor'),
    ('differences', 'operator'),
    ('difference_log', 'operator'),
    ('reconciliation', 'operator'),
    ('reconciled', 'operator'),
    ('reconciled_sum', 'operator'),
    ('unreconciled_days', 'operator'),
    ('stat_differences', 'operator'),
    ('differences', 'admin'),
    ('unreconciled_days', 'admin'),
    ('stat_differences', 'admin'),
    ('reconciled', 'monitor'),
    ('reconciled_sum', 'monitor'),
    ('unreconciled_days', 'monitor'),
    ('stat_differences', 'monitor'),
    ('stat_claims', 'monitor'),
    ('stat_states', 'monitor'),
    ('stat_states', 'admin'),
    ('stat_overdue', 'monitor'),
    ('stat_overdue', 'admin'),
    ('stat_findings', 'monitor'),
    ('stat_findings', 'admin'),
    ('stat_guards', 'monitor'),
    ('stat_guards', 'admin'),
    ('stat_excess', 'monitor'),
    ('stat_excess', 'admin'),
    ('stat_claim_ages', 'monitor'),
    ('stat_claim_ages', 'admin'),
    ('stat_amounts', 'monitor'),
    ('stat_amounts', 'admin'),
    ('stat_codes', 'monitor'),
    ('stat_codes', 'admin'),
    ('pauses', 'monitor'),
    ('overdue_limits', 'operator'),
    ('overdue_limits', 'admin'),
    ('lapsed_holds', 'operator'),
    ('lapsed_holds', 'admin'),
    ('guards', 'public'),
    ('currency', 'public');
COMMENT ON VIEW idem.rights_to_read IS 'which tables and views of idem are for whom to read';
COMMENT ON COLUMN idem.rights_to_read.relation IS 'name of the table or view in schema idem';
COMMENT ON COLUMN idem.rights_to_read.audience IS 'operator, admin, monitor or public';

-- Only the owner of a function can grant it: these run as the owner, with a
-- statement that holds nothing of the caller's but the name of a role.
CREATE FUNCTION idem.grant_runtime(role regrole, scopes text[] DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_runtime'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_runtime(regrole, text[]) IS
    'lets a role call what an application calls (claim, complete, lookup, transition, ...), on no table of idem; kept in idem.change_log. For admins.
In: scopes, in which it may use keys; NULL: in all of them. The last call for a role counts. From the first call that names scopes on, a role that no call of grant_runtime has named uses keys in none.
Errors: 22004 role null; 22023 no scopes; 42704 unknown role or scope.
Locks: ROW EXCLUSIVE on idem.runtime_role.';
REVOKE ALL ON FUNCTION idem.grant_runtime(regrole, text[]) FROM PUBLIC;

CREATE FUNCTION idem.grant_operator(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_operator'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_operator(regrole) IS
    'lets a role overrule: resolve with force, and keys that wait for a person; confirm suspected duplicates; pause and resume; read what is open, late results and evidence. For people, never for an application: idem.doctor() names a login that has both rights. Kept in idem.change_log. For the owner of the extension.
Errors: 22004 role null; 42704 unknown role.';
REVOKE ALL ON FUNCTION idem.grant_operator(regrole) FROM PUBLIC;

CREATE FUNCTION idem.grant_admin(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_admin'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_admin(regrole) IS
    'lets a role make scopes, define state machines and return codes of a new name, call the doctor, read the change log, what is open and every table of idem that pg_dump reads, claims and their responses included, so that the owner of a database can dump it, and name roles with grant_runtime and grant_monitor; the owner of the extension also with grant_operator and grant_admin; kept in idem.change_log. For the owner of the extension.
Errors: 22004 role null; 42704 unknown role.';
REVOKE ALL ON FUNCTION idem.grant_admin(regrole) FROM PUBLIC;

CREATE FUNCTION idem.grant_monitor(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'idem_grant_monitor'
    LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
    SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION idem.grant_monitor(regrole) IS
    'lets a role read counts, ages and sums (idem.status() and the views idem.stat_*, idem.pauses, idem.channel_coverage), never a key, a request or a response; it needs no right on any table, and can write nothing. Kept in idem.change_log. For admins.
Errors: 22004 role null; 42704 unknown role.';
REVOKE ALL ON FUNCTION idem.grant_monitor(regrole) FROM PUBLIC;
