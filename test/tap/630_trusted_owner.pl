# What the owner of a database who is no superuser can do with the extension.
#
# Such a role installs it (trusted in idem.control), guards its tables, claims,
# names operators, asks the doctor, dumps, and drops it again.  What it has no
# way to do is to run code of its own with the rights of a superuser: before
# CREATE EXTENSION, by whatever stands in the way of the script; after it, by
# what a superuser's DDL, doctor, statistics and grants come across in its
# tables; and by members that it adds to the extension.  Every function of the
# owner's warns when it is run by a superuser, and no warning may come.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

# The owner, whose name would end a statement that quotes it by hand
my $owner = q{o"wner'$$};
my $ident = q{"o""wner'$$"};
$node->safe_psql('postgres', qq{CREATE ROLE $ident LOGIN; CREATE ROLE app; CREATE ROLE duty;
	CREATE DATABASE shop OWNER $ident; CREATE DATABASE copy OWNER $ident});

# As the owner and as a superuser: (status, what came out, what was said)
sub owner { return $node->psql($_[1] || 'shop', $_[0], extra_params => [ '-U', $owner ], on_error_stop => 0); }
sub super { return $node->psql($_[1] || 'shop', $_[0], extra_params => ['-X'], on_error_stop => 0); }

sub owner_does
{
	my ($sql, $test, $database) = @_;
	my ($status, $out, $err) = owner($sql, $database);

	is($err, '', $test);
	return $out;
}

sub owner_may_not
{
	my ($sql, $expected, $test) = @_;
	my ($status, $out, $err) = owner($sql);

	like($err, $expected, $test);
	return;
}

# ---------- before CREATE EXTENSION

# A schema of the owner's, with a function that would win over ours
owner_does(q{CREATE SCHEMA idem; CREATE FUNCTION idem.guard_identity(text, text[]) RETURNS text LANGUAGE sql AS 'SELECT NULL'},
	'a schema idem of the owner');
owner_may_not('CREATE EXTENSION idem', qr/schema "idem" already exists/, 'is no place for the extension');
owner_does('SET client_min_messages = warning; DROP SCHEMA idem CASCADE', 'and goes again');

# A function of the owner's tells by whom it is run
owner_does(q{
	CREATE SCHEMA mine;
	CREATE FUNCTION mine.tell(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $f$
	BEGIN
		IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) THEN
			RAISE WARNING 'ran as a superuser: %', what;
		END IF;
		RETURN true;
	END $f$;
	CREATE FUNCTION mine.format(text, VARIADIC anyarray) RETURNS text LANGUAGE sql AS $f$SELECT mine.tell('format')::text$f$;
	CREATE FUNCTION mine.quote_literal(text) RETURNS text LANGUAGE sql AS $f$SELECT mine.tell('quote_literal')::text$f$;
	CREATE FUNCTION mine.same(text, text) RETURNS boolean LANGUAGE sql AS $f$SELECT mine.tell('=')$f$;
	CREATE OPERATOR mine.= (LEFTARG = text, RIGHTARG = text, FUNCTION = mine.same);
	CREATE FUNCTION mine.same(name, text) RETURNS boolean LANGUAGE sql AS $f$SELECT mine.tell('=')$f$;
	CREATE OPERATOR mine.= (LEFTARG = name, RIGHTARG = text, FUNCTION = mine.same);
	CREATE TYPE mine.regclass AS (a int);
	ALTER DATABASE shop SET search_path = mine, pg_catalog, public;
}, 'objects of the names that the script uses');
is(owner_does(q{
	CREATE TEMP TABLE currency (code text);
	CREATE TEMP TABLE pg_extension (oid oid);
	CREATE EXTENSION idem;
	SELECT extowner::regrole FROM pg_catalog.pg_extension WHERE extname = 'idem';
}, 'the owner installs'), $ident, 'and the extension is the owner\'s');
is($node->safe_psql('shop', q{
	SET search_path = pg_catalog;
	SELECT count(*) FROM pg_catalog.pg_depend d
	WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'mine'::regnamespace
		AND (d.classid, d.objid) IN (SELECT m.classid, m.objid FROM pg_catalog.pg_depend m
			WHERE m.deptype = 'e' AND m.refobjid = (SELECT e.oid FROM pg_catalog.pg_extension e WHERE e.extname = 'idem'))}),
	'0', 'nothing of it is in the schema of the owner');

# ---------- what the owner is given

owner_does(q{
	SET client_min_messages = warning;
	SELECT idem.create_scope('debit', effect => 'inside', fields => '{}');
	SELECT idem.grant_runtime('app');
	SELECT idem.grant_operator('duty');
	SELECT idem.grant_monitor('duty');
	SELECT FROM idem.define_machine('order', 'stateDiagram-v2
		[*] --> open
		open --> paid
		paid --> [*]');
	CREATE DOMAIN mine.state AS text CHECK (mine.tell('domain ' || VALUE));
	CREATE TABLE mine.payment (id int PRIMARY KEY, amount numeric NOT NULL CHECK (mine.tell('check')),
		status mine.state NOT NULL DEFAULT CASE WHEN mine.tell('default') THEN 'open' END,
		twice numeric GENERATED ALWAYS AS (CASE WHEN mine.tell('generated') THEN amount * 2 END) STORED);
	CREATE INDEX ON mine.payment ((mine.tell('index')));
	CREATE TABLE mine.refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES mine.payment,
		amount numeric NOT NULL CHECK (mine.tell('check')), status mine.state NOT NULL);
	CREATE FUNCTION mine.trigger() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN PERFORM mine.tell('trigger'); RETURN NEW; END $f$;
	CREATE TRIGGER t BEFORE INSERT OR UPDATE ON mine.payment FOR EACH ROW EXECUTE FUNCTION mine.trigger();
	CREATE POLICY p ON mine.payment USING (mine.tell('policy'));
	ALTER TABLE mine.payment ENABLE ROW LEVEL SECURITY;
	CREATE VIEW mine.books AS SELECT id, amount, current_date AS day FROM mine.payment WHERE mine.tell('view');
	SELECT idem.guard_states('mine.payment', 'status', 'order');
	SELECT idem.guard_limit('mine.refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded',
		state => 'status', released => '{open}');
	SELECT idem.guard_fixed('mine.payment', '{amount}');
	SELECT idem.create_reconciliation('books', ours => 'mine.books', theirs => 'mine.books', key => '{id}', amount => 'amount', day => 'day');
	INSERT INTO mine.payment VALUES (1, 100, 'open');
	UPDATE mine.payment SET status = 'paid';
}, 'the owner declares, guards and names roles');
owner_may_not('UPDATE mine.payment SET amount = 1', qr/cannot be changed|23I07|is fixed|keeps/, 'is held by the guards');
owner_may_not(q{SELECT idem.claim('debit', 'k1')}, qr/permission denied for function claim/, 'does not claim before it says so');
is(owner_does(q{SELECT idem.grant_runtime(CURRENT_USER::regrole); SELECT granted FROM idem.claim('debit', 'k1')}, 'then claims'),
	"\nt", 'and is granted');
is(owner_does(q{SELECT count(*) > 0 FROM idem.doctor()}, 'asks the doctor'), 't', 'who answers');
is(owner_does(q{SELECT count(*) FROM idem.anchor}, 'reads the keys'), '1', 'that there are');

# ---------- what the owner is not given

owner_may_not($_->[0], qr/$_->[1]/, $_->[2]) foreach
	[ q{DELETE FROM idem.anchor}, 'permission denied', 'no key is deleted' ],
	[ q{INSERT INTO idem.machine SELECT * FROM idem.machine}, 'permission denied', 'nor a definition written' ],
	[ q{UPDATE idem.reconciliation SET owner = 'postgres'}, 'permission denied', 'nor a rule given to somebody else' ],
	[ q{CREATE VIEW idem.evil_problems AS SELECT 1}, 'permission denied for schema idem', 'nothing is made in the schema' ],
	[ q{ALTER SCHEMA idem RENAME TO other}, 'must be owner', 'which keeps its name' ],
	[ q{ALTER EXTENSION idem DROP FUNCTION idem.watch_ddl()}, 'must be owner', 'no member is taken out' ],
	[ q{ALTER FUNCTION idem.doctor() SET search_path = mine}, 'must be owner', 'no search path changed' ],
	[ q{CREATE OR REPLACE FUNCTION idem.doctor() RETURNS TABLE (severity text, object text, finding text, remedy text) LANGUAGE sql AS 'SELECT 1,2,3,4'},
		'permission denied|must be owner', 'no function replaced' ],
	[ q{DROP FUNCTION idem.doctor()}, 'must be owner', 'none dropped' ],
	[ q{ALTER EVENT TRIGGER idem_ddl_end DISABLE}, 'must be owner|permission denied', 'DDL is judged' ],
	[ q{ALTER TABLE idem.anchor DISABLE TRIGGER ALL}, 'must be owner', 'no trigger of a table disabled' ],
	[ q{ALTER EXTENSION idem SET SCHEMA mine}, 'does not support|must be owner', 'the extension is not moved' ],
	[ q{SELECT FROM idem.guards; SET idem.allow_unguarded = 'I want to'}, 'permission denied', 'what superusers let pass is theirs' ],
	[ q{SET idem.allow_unguarded = 'I want to'; ALTER TABLE mine.payment DISABLE TRIGGER USER}, 'would weaken', 'also before the library is loaded' ],
	[ q{ALTER DATABASE shop SET idem.allow_unguarded = 'I want to'}, 'permission denied', 'also for the whole database' ],
	[ q{SELECT idem.findings()}, 'permission denied', 'what only the doctor calls is closed' ],
	[ q{SELECT idem.pause('scope', 'debit', reason => 'x')}, 'permission denied', 'operators overrule' ],
	[ q{ALTER TABLE mine.payment DISABLE TRIGGER ALL}, 'permission denied|would weaken', 'a guard is not disabled' ],
	[ q{SET idem.drop_reason = 'x'; DROP EXTENSION idem CASCADE}, 'holds rows', 'nor the extension dropped with its claims' ],
	[ q{SET idem.drop_reason = 'x'; DROP OWNED BY CURRENT_USER CASCADE}, 'holds rows', 'by no other way' ];

# ---------- members that the owner adds

owner_does(q{
	CREATE VIEW mine.evil_problems AS SELECT 'error'::text AS severity, mine.tell('findings')::text AS object, 'x'::text AS finding, 'y'::text AS remedy;
	CREATE VIEW mine.evil_declarations AS SELECT 1 AS rank, 'x'::text AS name, mine.tell('declarations')::text AS statement;
	CREATE VIEW mine.evil_stuck AS SELECT 'mine.payment'::pg_catalog.regclass AS relation, mine.tell('stuck')::text AS key, 'x'::text AS state,
		pg_catalog.now() AS since, pg_catalog.now() AS due, NULL::text AS unread;
	CREATE FUNCTION mine.grant_runtime(pg_catalog.regrole) RETURNS void LANGUAGE sql AS $f$SELECT mine.tell('grant')$f$;
	CREATE FUNCTION mine.claim(int) RETURNS boolean LANGUAGE sql AS $f$SELECT mine.tell('claim')$f$;
	ALTER EXTENSION idem ADD VIEW mine.evil_problems;
	ALTER EXTENSION idem ADD VIEW mine.evil_declarations;
	ALTER EXTENSION idem ADD VIEW mine.evil_stuck;
	ALTER EXTENSION idem ADD FUNCTION mine.claim(int);
}, 'the owner of an extension adds members to it');
foreach my $sql ('SELECT count(*) > 0 FROM idem.doctor()', 'SELECT count(*) > 0 FROM idem.declarations()')
{
	is(owner_does($sql, "$sql runs none of them"), 't', 'and answers');
}
owner_does($_, "$_ runs none of them") foreach 'SELECT FROM idem.stuck', 'SELECT FROM idem.stat_overdue', 'SELECT FROM idem.stat_findings';

# ---------- a superuser at work in this database

# But for what reads as its caller (idem.remaining, a SELECT): to plan a query of
# a table the server itself computes constants in index expressions.

foreach my $sql (
	'SELECT FROM idem.doctor()', 'SELECT FROM idem.guards', 'SELECT FROM idem.declarations()', 'SELECT FROM idem.rearm()',
	'SELECT FROM idem.stat_states', 'SELECT FROM idem.stat_overdue', 'SELECT FROM idem.stat_excess', 'SELECT FROM idem.stat_findings',
	'SELECT FROM idem.stuck', 'SELECT FROM idem.status()', q{SELECT FROM idem.reconcile('books', current_date)},
	q{SELECT idem.validate_guard('mine.refund', 'IDEM_limit_payment_id')},
	q{SELECT idem.grant_runtime('duty')}, q{SELECT FROM idem.machine_diagram('order', counts => true)},
	'CREATE TABLE public.other (a int)', 'CREATE INDEX ON mine.payment (status)', 'ALTER TABLE mine.payment ADD COLUMN memo text',
	q{COMMENT ON TABLE mine.payment IS 'x'}, 'GRANT SELECT ON mine.payment TO app', 'ALTER TABLE mine.payment RENAME TO paid',
	'ALTER TABLE mine.paid RENAME TO payment', 'REINDEX TABLE mine.payment', 'VACUUM mine.payment', 'ANALYZE mine.payment',
	'ALTER TABLE public.other ADD COLUMN b int', 'DROP TABLE public.other',
	q{SELECT idem.guard_kept('mine.refund')}, q{SELECT idem.drop_guard('mine.refund', 'kept', reason => 'x')})
{
	my ($status, $out, $err) = super($sql);

	unlike($err, qr/ran as a superuser|WARNING/, "$sql: no code of the owner ran as a superuser");
	is($status, 0, "$sql: passes") or diag($err);
}

# ---------- dump and restore by the owner

# Not as a script: psql of 15.18 takes the lines of a COPY that was refused for
# commands.
my $dump = "${PostgreSQL::Test::Utils::tmp_check}/shop.dump";
my @server = ('-h', $node->host, '-p', $node->port);
command_ok([ 'pg_dump', @server, '-U', $owner, '-Fc', '-f', $dump, 'shop' ], 'the owner dumps');
my ($out, $err) = run_command([ 'pg_restore', @server, '-U', $owner, '-d', 'copy', $dump ]);
unlike($err, qr/ran as a superuser/, 'a restore by the owner runs nothing as a superuser');
is(join(',', sort grep { !/^permission denied for/ } $err =~ /ERROR:  (.*)/g), '', 'what it may not write are the tables of idem');
is(owner_does(q{SELECT string_agg(DISTINCT kind, ',' ORDER BY kind) FROM idem.guards}, 'the guards are there', 'copy'), 'fixed,limit,states', 'all of them');
like(owner_does('SELECT finding FROM idem.doctor()', 'the doctor is asked', 'copy'), qr/was not declared in this database/,
	'and says that nothing was declared');
$node->safe_psql('postgres', 'DROP DATABASE copy; CREATE DATABASE copy');
command_ok([ 'pg_restore', @server, '-e', '-d', 'copy', $dump ], 'a superuser restores all of it');
is($node->safe_psql('copy', q{SELECT count(*) FROM idem.anchor}), '1', 'with its claims');

# ---------- and away

$node->safe_psql('postgres', qq{CREATE DATABASE short OWNER $ident});
owner_does(q{SET client_min_messages = error; CREATE EXTENSION idem; CREATE TABLE t (a int); SELECT idem.guard_fixed('t', '{a}'); DROP EXTENSION idem CASCADE},
	'an extension without claims is dropped by its owner', 'short');

$node->stop;
done_testing();
