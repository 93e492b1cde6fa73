# admin.awk - the script of an administrator who works beside the workers
#
#	awk -v seed=N -v round=N -v worker=N -v kind=KIND -v count=N -f words.awk -f admin.awk
#
# In rounds of kind "stale" it pauses, resumes and defines anew, each in a
# transaction whose snapshot is older; of "maintain" it vacuums, clusters, builds
# indexes, adds and drops columns, takes guards off and puts them on in one
# transaction, and tries what would weaken one; of "persons" it pauses, and resumes
# or approves what another person wants to resume.  It says what it was answered
# as the workers do (words.awk).

function stop_something(	what)
{
	what = pick(3) ? "'scope', 'stop'" : "'machine', 'payment', 'checking'"
	if (pick(2))
		try("pause", "", "SELECT 'pause|' || concat_ws('|', " what ") FROM idem.pause(" what ", reason => 'a storm')")
	else
		try("resume", "", "SELECT 'resume|' || concat_ws('|', " what ") FROM idem.resume(" what ", reason => 'a storm')")
}

function administrate(	dice)
{
	dice = pick(10)
	if (dice < 5)
		stop_something()
	else if (dice < 7)
		try("define", "machine", "SELECT define_toggle(" one_of("true|false") ")")
	else if (dice < 9)
		try("define", "codes", "SELECT define_codes(" one_of("true|false") ")")
	else
		try("same", "", one_of("SELECT FROM idem.create_scope('bound', effect => 'inside', fields => '{}')" \
			"|SELECT FROM idem.guard_fixed('payment', '{amount,currency}')" \
			"|SELECT FROM idem.guard_states('payment', 'status', 'payment')" \
			"|SELECT FROM idem.create_reconciliation('both', ours => 'book_line', theirs => 'bank_line', key => '{serial}')" \
			"|SELECT FROM idem.retire('dated')"))
}

function maintain(	dice)
{
	dice = pick(10)
	if (dice < 6)
		try("ddl", "", one_of("VACUUM|VACUUM (FULL) effect|VACUUM (FULL) refund|VACUUM (FULL) parcel|VACUUM (FULL) idem.anchor|VACUUM (FULL) idem.reservation|VACUUM (FULL) payment" \
			"|REINDEX TABLE CONCURRENTLY refund|REINDEX TABLE CONCURRENTLY own_key|REINDEX TABLE CONCURRENTLY entry|REINDEX TABLE CONCURRENTLY idem.anchor|REINDEX TABLE CONCURRENTLY idem.reservation" \
			"|CLUSTER refund USING refund_pkey|CLUSTER own_key USING own_key_pkey|ANALYZE" \
			"|ALTER TABLE payment ADD COLUMN IF NOT EXISTS extra int DEFAULT 7|ALTER TABLE payment DROP COLUMN IF EXISTS extra" \
			"|ALTER TABLE own_key ADD COLUMN IF NOT EXISTS extra int DEFAULT 7|ALTER TABLE own_key DROP COLUMN IF EXISTS extra" \
			"|CREATE INDEX CONCURRENTLY IF NOT EXISTS extra_index ON refund (status)|DROP INDEX CONCURRENTLY IF EXISTS extra_index" \
			"|ALTER TABLE refund SET (fillfactor = 80)|ALTER TABLE payment ALTER COLUMN note TYPE bigint|ALTER TABLE payment ALTER COLUMN note TYPE int" \
			"|SELECT FROM idem.validate_guard('refund')|SELECT FROM idem.validate_guard('entry')|SELECT FROM idem.validate_guard('parcel')|SELECT FROM idem.rearm()"))
	else if (dice < 8)
	{
		print "BEGIN;"
		dice = pick(3)
		if (dice == 0)
		{
			try("ddl", "", "SELECT idem.drop_guard('parcel', 'pair', reason => 'for a moment')")
			try("ddl", "", "SELECT idem.guard_parent_state('parcel', 'payment_id', state => 'status', parent_state => 'status', " \
				"allowed => '{\"asked\":\"{created,paying,checking,succeeded}\",\"sent\":\"{succeeded}\"}')")
		}
		else if (dice == 1)
		{
			try("ddl", "", "SELECT idem.drop_guard('payment', 'fixed', reason => 'for a moment')")
			try("ddl", "", "SELECT idem.guard_fixed('payment', '{amount,currency}')")
		}
		else
		{
			try("ddl", "", "ALTER TABLE bound_effect RENAME TO bound_away")
			try("ddl", "", "ALTER TABLE bound_away RENAME TO bound_effect")
		}
		print pick(4) ? "COMMIT;" : "ROLLBACK;"
		return
	}
	else
		try("weaken", "", one_of("ALTER TABLE refund DISABLE TRIGGER USER|ALTER TABLE parcel DISABLE TRIGGER ALL|TRUNCATE payment CASCADE|DROP TABLE entry|ALTER TABLE payment DROP COLUMN amount" \
			"|ALTER TABLE parcel DROP CONSTRAINT parcel_payment_id_fkey|ALTER TABLE own_key DROP CONSTRAINT own_key_pkey|ALTER TABLE payment RENAME COLUMN refunded TO returned|DROP INDEX parcel_payment_id_idx"))
}

# Nobody resumes alone.
function overrule(	dice)
{
	dice = pick(3)
	if (dice == 0)
		try("pause", "", "SELECT 'pause|scope|stop' FROM idem.pause('scope', 'stop', reason => 'a storm')")
	else if (dice == 1)
		try("resume", "", "SELECT 'resume|scope|stop|' || session_user FROM idem.resume('scope', 'stop', reason => 'a storm')")
	else
		try("approve", "", "SELECT approve_call($$SELECT idem.resume('scope', 'stop', reason => 'a storm')$$) || '|' || session_user")
}

BEGIN {
	srand(seed * 64 + worker)
	print "SELECT 'end|' || clock_timestamp();"
	for (tx = 1; tx <= count; tx++)
	{
		statement = 0
		level = kind == "stale" ? one_of("READ COMMITTED|REPEATABLE READ|SERIALIZABLE") : "READ COMMITTED"
		print "\\echo tx|" tx "|" level
		if (kind == "maintain")
			maintain()
		else if (kind == "persons")
			overrule()
		else
		{
			print "BEGIN ISOLATION LEVEL " level ";"
			print "SELECT count(*) AS seen FROM idem.pause \\gset"
			print "SELECT FROM pg_sleep(" rand() / 30 ");"
			administrate()
			print pick(8) ? "COMMIT;" : "ROLLBACK;"
		}
		if (kind != "stale")
			print "\\if :ERROR\n\\echo ROLLBACK\n\\else\n\\echo COMMIT\n\\endif"
		print "SELECT 'end|' || clock_timestamp();"
		if (kind != "stale" || pick(2))
			print "SELECT FROM pg_sleep(" rand() / 20 ");"
	}
}
