-- ---------------------------------------------------------------------------
-- doctor: the tables of idem itself
-- ---------------------------------------------------------------------------

-- What the extension made; any other column or constraint was added by somebody
-- else.  Columns are known by their position, so ours come first.
CREATE VIEW idem.own_tables (name, columns, constraints) AS VALUES
    ('change'::name,
     '{n,at,role,action,kind,guard,table_schema,table_name,name,arguments,reason}'::name[], '{}'::name[]),
    ('currency',
     '{code,numeric_code,minor_units,name,withdrawn,builtin}',
     '{currency_pkey,currency_code_check,currency_numeric_code_check,currency_minor_units_check}'),
    ('pause',
     '{kind,name,state,at,role,reason}', '{pause_pkey,pause_kind_check}'),
    ('site',
     '{one,name,on_move,set_at,role,system_identifier,timeline,database,relation,backup,stamped_at,held_until}',
     '{site_pkey,site_one_check,site_on_move_check}'),
    ('policy',
     '{name,since,role}', '{policy_pkey,policy_name_check}'),
    ('approval',
     '{id,at,person,role,action,object,digest,reason,emergency,used_at,used_by,confirmed_at,confirmed_by,confirmed_reason}',
     '{approval_pkey,approval_digest_check}'),
    ('runtime_role',
     '{role,scopes}', '{runtime_role_pkey,runtime_role_scopes_check}'),
    ('scope',
     '{id,name,effect,fields,completion,charset,lease,quiet,ladder,keep,key_time,parts,horizon,created_at,created_by,flush,standbys,channels,keep_answers,repeat_within,duplicate_fields,duplicate_window,on_duplicate,confirm_by}',
     '{scope_pkey,scope_id_check,scope_name_key,scope_effect_check,scope_completion_check,scope_charset_check,scope_keep_answers_check,scope_duplicate_window_check,scope_on_duplicate_check,scope_confirm_by_check}'),
    ('anchor',
     '{digest,first_seen,scope,state,key,fingerprint,response}', '{anchor_pkey}'),
    ('reservation',
     '{digest,first_seen,scope,state,key,fingerprint,response,request,nonce,token,attempt,step,lease_until,dispatched_at,finished_at,due_at,fenced_at,concern,dropped,serial,settled_amount,presumed_at,corrected_at,returned_on,returned_amount}',
     '{reservation_pkey}'),
    ('attempt',
     '{scope,key,attempt,token,dispatched_at,channel,serial,business_date,other_date}', '{attempt_pkey}'),
    ('sighting',
     '{digest,first_seen,scope,key}', '{}'),
    ('suspect',
     '{scope,key,id,members,first_seen,held}', '{}'),
    ('late_result',
     '{scope,key,n,scope_created_at,at,role,token,attempt,outcome,response,evidence,asked_at,via,codes,mismatch,state,newest}',
     '{late_result_pkey}'),
    ('evidence',
     '{scope,key,n,scope_created_at,at,role,action,outcome,attempt,evidence,response,reason,asked_at,via,codes,settled_amount}',
     '{evidence_pkey}'),
    ('channel',
     '{name,send,inquire,notice,statement,serial,serial_per,serial_max,serial_charset,first_serial,echo,amount,absence,quiet,partial,presume_days,idempotency_window,calendar,created_by,created_at}',
     '{channel_pkey}'),
    ('calendar',
     '{name,valid_from,time_zone,cut,closed,around_cut,weekend,created_by}', '{calendar_pkey}'),
    ('closure',
     '{calendar,during,reason,added_by}', '{closure_pkey}'),
    ('serial_day',
     '{channel,day,base}', '{serial_day_pkey}'),
    ('reconciliation',
     '{name,ours,theirs,key,amount,agree,day,currency,complete,calendar,grace,tolerance,group_by,signed,gross,fee,net,owner,created_by,created_at}',
     '{reconciliation_pkey}'),
    ('reconciled',
     '{rule,day,problem,version,waiting,again_at,runs,at,role}', '{reconciled_pkey}'),
    ('reconciled_sum',
     '{rule,day,kind,currency,keys,ours_lines,theirs_lines,ours,theirs,fee}', '{reconciled_sum_pkey}'),
    ('difference',
     '{id,rule,day,key,line,n,kind,currency,ours,theirs,ours_lines,theirs_lines,fields,ours_values,theirs_values,other_day,state,first_seen,last_seen,closed_at,gone_at,role,reason,previous}',
     '{difference_pkey,difference_kind_check,difference_state_check,difference_closed_check,difference_gone_check,difference_reason_check,difference_seen_check,difference_n_check}'),
    ('difference_log',
     '{difference,n,at,role,state,kind,reason}', '{difference_log_pkey}'),
    ('machine',
     '{name,version,diagram,owner,defined_at,defined_by,loosen,tighten}', '{machine_pkey}'),
    ('return_code_table',
     '{name,version,codes,owner,defined_at,defined_by,loosen,tighten}', '{return_code_table_pkey}'),
    ('transition_log',
     '{relation,n,command,state_column,key,from_state,to_state,event,at,transaction,session_role,role,actor,application}',
     '{transition_log_pkey}');
COMMENT ON VIEW idem.own_tables IS 'the tables of idem as the extension made them';
REVOKE ALL ON TABLE idem.own_tables FROM PUBLIC;

-- TRUNCATE of what happened needs a reason, of what was decided there is none;
-- what else takes rows from a log is told.  The owner of a database for tests
-- need not be a superuser.
CREATE TRIGGER change_truncate BEFORE TRUNCATE ON idem.change
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1', 'for_good=true');
CREATE TRIGGER anchor_truncate BEFORE TRUNCATE ON idem.anchor
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER reservation_truncate BEFORE TRUNCATE ON idem.reservation
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER attempt_truncate BEFORE TRUNCATE ON idem.attempt
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER sighting_truncate BEFORE TRUNCATE ON idem.sighting
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER suspect_truncate BEFORE TRUNCATE ON idem.suspect
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER late_result_truncate BEFORE TRUNCATE ON idem.late_result
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER evidence_truncate BEFORE TRUNCATE ON idem.evidence
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER transition_log_truncate BEFORE TRUNCATE ON idem.transition_log
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER site_truncate BEFORE TRUNCATE ON idem.site
    FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1', 'for_good=true');
CREATE TRIGGER site_delete AFTER DELETE ON idem.site
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER change_delete AFTER DELETE ON idem.change
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER change_update AFTER UPDATE ON idem.change
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER transition_log_delete AFTER DELETE ON idem.transition_log
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
CREATE TRIGGER transition_log_update AFTER UPDATE ON idem.transition_log
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION idem.keep_own_rows('idem=1');
ALTER TABLE idem.change ENABLE ALWAYS TRIGGER change_truncate;
ALTER TABLE idem.anchor ENABLE ALWAYS TRIGGER anchor_truncate;
ALTER TABLE idem.reservation ENABLE ALWAYS TRIGGER reservation_truncate;
ALTER TABLE idem.attempt ENABLE ALWAYS TRIGGER attempt_truncate;
ALTER TABLE idem.sighting ENABLE ALWAYS TRIGGER sighting_truncate;
ALTER TABLE idem.suspect ENABLE ALWAYS TRIGGER suspect_truncate;
ALTER TABLE idem.late_result ENABLE ALWAYS TRIGGER late_result_truncate;
ALTER TABLE idem.evidence ENABLE ALWAYS TRIGGER evidence_truncate;
ALTER TABLE idem.transition_log ENABLE ALWAYS TRIGGER transition_log_truncate;
ALTER TABLE idem.site ENABLE ALWAYS TRIGGER site_truncate, ENABLE ALWAYS TRIGGER site_delete;
ALTER TABLE idem.change ENABLE ALWAYS TRIGGER change_delete, ENABLE ALWAYS TRIGGER change_update;
ALTER TABLE idem.transition_log ENABLE ALWAYS TRIGGER transition_log_delete, ENABLE ALWAYS TRIGGER transition_log_update;
COMMENT ON TRIGGER change_truncate ON idem.change IS 'never';
COMMENT ON TRIGGER anchor_truncate ON idem.anchor IS 'only for a reason, which is kept';
COMMENT ON TRIGGER reservation_truncate ON idem.reservation IS 'only for a reason, which is kept';
COMMENT ON TRIGGER attempt_truncate ON idem.attempt IS 'only for a reason, which is kept';
COMMENT ON TRIGGER sighting_truncate ON idem.sighting IS 'only for a reason, which is kept';
COMMENT ON TRIGGER suspect_truncate ON idem.suspect IS 'only for a reason, which is kept';
COMMENT ON TRIGGER late_result_truncate ON idem.late_result IS 'only for a reason, which is kept';
COMMENT ON TRIGGER evidence_truncate ON idem.evidence IS 'only for a reason, which is kept';
COMMENT ON TRIGGER transition_log_truncate ON idem.transition_log IS 'only for a reason, which is kept';
COMMENT ON TRIGGER site_truncate ON idem.site IS 'never';
COMMENT ON TRIGGER site_delete ON idem.site IS 'tells of a site that was deleted';
COMMENT ON TRIGGER change_delete ON idem.change IS 'tells of rows that were deleted';
COMMENT ON TRIGGER change_update ON idem.change IS 'tells of rows that were written over';
COMMENT ON TRIGGER transition_log_delete ON idem.transition_log IS 'tells of rows that were deleted';
COMMENT ON TRIGGER transition_log_update ON idem.transition_log IS 'tells of rows that were written over';
GRANT TRUNCATE ON idem.anchor, idem.reservation, idem.attempt, idem.sighting, idem.suspect, idem.late_result, idem.evidence, idem.transition_log
    TO pg_database_owner;

-- idem writes its tables without the executor, so what only the executor does
-- (triggers, defaults, NOT NULL, CHECKs, rules) has no effect there.  Plain
-- indexes of any kind are maintained.
CREATE VIEW idem.table_problems AS
SELECT c.oid::regclass AS relation, pg_catalog.format('table idem.%I', o.name) AS object, p.problem, p.remedy, p.instead
FROM idem.own_tables o
LEFT JOIN pg_catalog.pg_class c ON c.relname = o.name AND c.relnamespace = 'idem'::regnamespace AND c.relkind = 'r',
     LATERAL (
         SELECT 'is missing from schema idem', 'give it its name back, or drop the extension and create it anew',
                'The tables of idem keep their names and their schema.'
         WHERE c.oid IS NULL
         UNION ALL
         SELECT 'is unlogged: a crash empties it', pg_catalog.format('ALTER TABLE idem.%I SET LOGGED', o.name),
                'A crash would empty it, and what was paid would be paid again.'
         WHERE c.relpersistence <> 'p'
         UNION ALL
         SELECT 'is not stored as a heap', pg_catalog.format('ALTER TABLE idem.%I SET ACCESS METHOD heap', o.name),
                'idem reads and writes it as a heap.'
         WHERE c.relam <> (SELECT a.oid FROM pg_catalog.pg_am a WHERE a.amname = 'heap')
         UNION ALL
         SELECT pg_catalog.format('has not got column %I in its place', k.name),
                'give the column its name back; if it was dropped, restore the table from a backup',
                'idem relies on its columns.'
         FROM pg_catalog.unnest(o.columns) WITH ORDINALITY k (name, n)
         WHERE c.oid IS NOT NULL
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                               WHERE a.attrelid = c.oid AND a.attnum = k.n AND a.attname = k.name AND NOT a.attisdropped)
         UNION ALL
         SELECT pg_catalog.format('has column %I, which is not null or has a default, and idem writes null into it', a.attname),
                pg_catalog.format('ALTER TABLE idem.%I DROP COLUMN %I', o.name, a.attname),
                'Add a column that may be null and has no default: it is null in the rows that idem writes, until you set it.'
         FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > pg_catalog.cardinality(o.columns) AND NOT a.attisdropped
               AND CASE WHEN o.name <> 'transition_log' THEN a.attnotnull OR a.atthasdef OR a.attidentity <> ''
                        -- there defaults are computed
                        ELSE a.attgenerated <> '' OR a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' END
         UNION ALL
         SELECT pg_catalog.format('bears trigger %I, which does not fire for what idem writes', t.tgname),
                pg_catalog.format('DROP TRIGGER %I ON idem.%I', t.tgname, o.name),
                'To follow what idem writes, decode it logically, or read its views.'
         FROM pg_catalog.pg_trigger t
         JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
         WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND f.pronamespace <> 'idem'::regnamespace
               AND t.tgtype & 28 <> 0 -- INSERT, DELETE or UPDATE
         UNION ALL
         SELECT pg_catalog.format('has rule %I, which does nothing to what idem writes', r.rulename),
                pg_catalog.format('DROP RULE %I ON idem.%I', r.rulename, o.name),
                'To follow what idem writes, decode it logically, or read its views.'
         FROM pg_catalog.pg_rewrite r
         WHERE r.ev_class = c.oid AND r.ev_type <> '1'
         UNION ALL
         SELECT pg_catalog.format('has not got constraint %I', k.name),
                'add the constraint again, as the extension made it',
                'idem relies on its constraints.'
         FROM pg_catalog.unnest(o.constraints) k (name)
         WHERE c.oid IS NOT NULL
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint n
                               LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = n.conindid
                               WHERE n.conrelid = c.oid AND n.conname = k.name AND n.contype IN ('p', 'u', 'c')
                                     AND n.convalidated AND (n.contype = 'c' OR i.indisvalid))
         UNION ALL
         SELECT pg_catalog.format('has constraint %I, which is not checked for what idem writes', n.conname),
                pg_catalog.format('ALTER TABLE idem.%I DROP CONSTRAINT %I', o.name, n.conname),
                'Judge the rows when they are read; what an application may write is judged before it calls idem.'
         FROM pg_catalog.pg_constraint n
         WHERE n.conrelid = c.oid AND n.contype IN ('c', 'f', 'x') AND n.conname <> ALL (o.constraints)
         UNION ALL
         SELECT pg_catalog.format('is referenced by foreign key %I of table %s, which keeps keys from being retired', n.conname, n.conrelid::regclass),
                pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', n.conrelid::regclass, n.conname),
                'Keep the key itself in a column, and ask idem.lookup for what is known of it.'
         FROM pg_catalog.pg_constraint n
         WHERE n.confrelid = c.oid AND n.contype = 'f' AND n.conparentid = 0
         UNION ALL
         SELECT pg_catalog.format('has unique index %I', x.relname),
                pg_catalog.format('DROP INDEX idem.%I', x.relname),
                'An index that is not unique is kept; idem itself decides which keys there are once.'
         FROM pg_catalog.pg_index i
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
         WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid
               AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint n
                               JOIN pg_catalog.pg_index k ON k.indexrelid = n.conindid
                               WHERE n.conrelid = c.oid AND n.conname = ANY (o.constraints)
                                     AND k.indkey = i.indkey AND i.indpred IS NULL)
         UNION ALL
         SELECT 'has row security, which hides rows from the views of idem',
                pg_catalog.format('ALTER TABLE idem.%I NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY', o.name),
                'The tables of idem are closed to everybody but its owner; grant what is to be read on a view.'
         WHERE c.relrowsecurity OR c.relforcerowsecurity
         UNION ALL
         SELECT pg_catalog.format('inherits from table %s', h.inhparent::regclass),
                pg_catalog.format('ALTER TABLE idem.%I NO INHERIT %s', o.name, h.inhparent::regclass),
                'Make a view of both tables.'
         FROM pg_catalog.pg_inherits h
         WHERE h.inhrelid = c.oid
         UNION ALL
         SELECT pg_catalog.format('is inherited by table %s', h.inhrelid::regclass),
                pg_catalog.format('ALTER TABLE %s NO INHERIT idem.%I', h.inhrelid::regclass, o.name),
                'CREATE TABLE ... (LIKE ...) copies the columns.'
         FROM pg_catalog.pg_inherits h
         WHERE h.inhparent = c.oid
     ) p (problem, remedy, instead);
COMMENT ON VIEW idem.table_problems IS 'what keeps the tables of idem from doing their work, a row each; DDL that would bring one about is refused';
REVOKE ALL ON TABLE idem.table_problems FROM PUBLIC;
