# Where Citus has several nodes, each would grant a key once: claims are
# refused there, and what was claimed or sent before is still served.  Guards
# hold on shards, or are refused.
#
# Citus itself is not here (test/proof/citus.sh has it).  A stand-in of the same
# name brings the tables that idem reads, in pg_catalog as Citus has them; it is put into the private
# copy of the server and taken out again.  What Citus does after each change of
# its nodes, an invalidation of pg_dist_node, is done by hand.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($share) = run_command([ 'pg_config', '--sharedir' ]);
my $folder = "$share/extension";
plan skip_all => 'Citus is installed, or the server is not a private copy'
	if -e "$folder/citus.control" || !-w $folder || $folder =~ m{^/usr/};

append_to_file("$folder/citus.control", "default_version = '1.0'\nrelocatable = false\n");
append_to_file("$folder/citus--1.0.sql", <<'SQL');
CREATE SCHEMA citus;
CREATE TABLE citus.pg_dist_node (nodeid int PRIMARY KEY, groupid int NOT NULL, nodename text NOT NULL, noderole text NOT NULL);
CREATE TABLE citus.pg_dist_local_group (groupid int PRIMARY KEY);
ALTER TABLE citus.pg_dist_node SET SCHEMA pg_catalog;
ALTER TABLE citus.pg_dist_local_group SET SCHEMA pg_catalog;
CREATE TABLE citus.pg_dist_shard (logicalrelid regclass NOT NULL, shardid bigint NOT NULL);
ALTER TABLE citus.pg_dist_shard SET SCHEMA pg_catalog;
CREATE TABLE citus.pg_dist_partition (logicalrelid regclass NOT NULL, repmodel "char" NOT NULL);
ALTER TABLE citus.pg_dist_partition SET SCHEMA pg_catalog;
INSERT INTO pg_catalog.pg_dist_local_group VALUES (0);
SQL

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;

sub ask
{
	return $node->safe_psql('postgres', $_[0]);
}

# SQLSTATE and message of a statement that has to fail
sub refused
{
	my ($out, $err);
	$node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]", stdout => \$out, stderr => \$err);
	return $err;
}

ask(q{
	CREATE EXTENSION idem;
	SELECT idem.create_scope('in', 'inside', '{}'), idem.create_scope('out', 'outside', '{}', quiet => '0');
});
is(ask(q{SELECT outcome FROM idem.claim('in', 'none')}), 'granted', 'granted without Citus');

ask('CREATE EXTENSION citus');
is(ask(q{SELECT outcome FROM idem.claim('in', 'empty')}), 'granted', 'granted where no node is listed');

ask(q{INSERT INTO pg_dist_node VALUES (1, 0, 'here', 'primary'), (2, 0, 'replica', 'secondary')});
is(ask(q{SELECT outcome FROM idem.claim('in', 'one')}), 'granted', 'granted where this is the only node');
ask(q{SELECT idem.reserve('out', 'sent')});
ask(q{CALL idem.dispatch('out', 'sent', 1)});

# in a session that has asked before
my $news = q{
	SELECT outcome FROM idem.claim('in', 'two');
	INSERT INTO pg_dist_node VALUES (3, 1, 'worker', 'primary');
	ALTER TABLE pg_catalog.pg_dist_node SET (fillfactor = 90);
	SELECT outcome FROM idem.claim('in', 'three');
};
like(refused($news), qr/0A000.*cannot be claimed on a Citus cluster.*HINT:.*unique key in a distributed table/s,
	'refused from the moment another node is there');
like(refused($_), qr/0A000/, "refused: $_")
	for q{SELECT idem.claim('in', 'none')}, q{SELECT idem.claim_many('in', '{x,y}')}, q{SELECT idem.reserve('out', 'x')};

# what is there is served
is(ask(q{SELECT outcome FROM idem.lookup('in', 'two')}), 'replayed', 'an old claim is known');
is(ask(q{SELECT outcome FROM idem.complete('out', 'sent', 1, 'succeeded', '{"id": 1}')}), 'succeeded',
	'a payment under way gets its result');
is(ask(q{SELECT outcome FROM idem.fence('out', 'sent', 'cancelled')}), 'replayed', 'and can be asked about');

# seen from a worker
ask(q{UPDATE pg_dist_local_group SET groupid = 1; DELETE FROM pg_dist_node WHERE groupid <> 1});
is(ask(q{SELECT outcome FROM idem.claim('in', 'alone')}), 'granted', 'granted where the worker is the only node');
ask(q{INSERT INTO pg_dist_node VALUES (1, 0, 'coordinator', 'primary')});
like(refused(q{SELECT idem.claim('in', 'beside')}), qr/0A000/, 'refused on a worker');

# Keys in a table of the user's: the triggers of both tables come to their
# shards with the same arguments, and a shard's keys are those of the table.
ask(q{
	CREATE TABLE request_key (tenant int, key text, PRIMARY KEY (tenant, key));
	CREATE TABLE effect (tenant int NOT NULL, message text NOT NULL);
	SELECT idem.guard_keys('request_key', '{tenant,key}');
	SELECT idem.guard_claimed('effect', '{tenant,message}', keys => 'request_key');
	CREATE TABLE request_key_102008 (LIKE request_key INCLUDING ALL);
	CREATE TABLE effect_102009 (LIKE effect INCLUDING ALL);
	CREATE TABLE another_key_102010 (LIKE request_key INCLUDING ALL);
	INSERT INTO pg_dist_shard VALUES ('request_key', 102008), ('effect', 102009), ('request_key', 102010);
});
foreach my $shard ('request_key_102008', 'effect_102009', 'another_key_102010')
{
	my $table = $shard =~ /effect/ ? 'effect' : 'request_key';
	ask("DO \$\$DECLARE t text; BEGIN
		FOR t IN SELECT replace(pg_get_triggerdef(oid), 'public.$table FOR', 'public.$shard FOR') FROM pg_trigger
			WHERE tgrelid = '$table'::regclass AND tgname !~ 'truncate' LOOP EXECUTE t; END LOOP; END\$\$");
}
my $key = q{BEGIN; INSERT INTO %s VALUES (1, 'k') ON CONFLICT DO NOTHING; INSERT INTO effect_102009 VALUES (1, 'k'); COMMIT};
like(refused(q{INSERT INTO effect_102009 VALUES (1, 'k')}), qr/23I0A/, 'a shard asks for the key');
like(refused(sprintf($key, 'another_key_102010')), qr/23I0A/, 'which a table does not grant that is called otherwise');
ask(sprintf($key, 'request_key_102008'));
is(ask('SELECT count(*) FROM effect_102009'), '1', 'and which the shard of the keys grants');
like(refused(sprintf($key, 'request_key_102008')), qr/23I0A/, 'once');

# A limit: the parent's trigger on a shard is bound to the distributed table,
# and the trigger at the end of a statement is not there.
sub shard
{
	my ($table, $number) = @_;
	ask("CREATE TABLE ${table}_$number (LIKE $table INCLUDING ALL); INSERT INTO pg_dist_shard VALUES ('$table', $number)");
	ask("DO \$\$DECLARE t record; BEGIN
		FOR t IN SELECT tgname, replace(pg_get_triggerdef(oid), ' ON public.$table', ' ON public.${table}_$number') AS def FROM pg_trigger
			WHERE tgrelid = '$table'::regclass AND NOT tgisinternal AND tgtype & 1 = 1 LOOP
			EXECUTE t.def; EXECUTE format('ALTER TABLE ${table}_$number ENABLE ALWAYS TRIGGER %I', t.tgname);
		END LOOP; END\$\$");
	return;
}
ask(q{
	UPDATE pg_dist_local_group SET groupid = 0;
	CREATE TABLE payment (tenant int, id int, amount int NOT NULL, status text NOT NULL, PRIMARY KEY (tenant, id));
	CREATE TABLE refund (tenant int NOT NULL, id int, payment int NOT NULL, amount int NOT NULL, PRIMARY KEY (tenant, id),
		FOREIGN KEY (tenant, payment) REFERENCES payment);
	SELECT idem.guard_limit('refund', '{tenant,payment}', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
});
shard('payment', 102020);
shard('refund', 102021);
ask(q{
	ALTER TABLE refund_102021 ADD FOREIGN KEY (tenant, payment) REFERENCES payment_102020 NOT VALID;
	INSERT INTO payment_102020 (tenant, id, amount, status) VALUES (1, 1, 100, 'created'), (1, 2, 100, 'created');
	INSERT INTO refund_102021 VALUES (1, 1, 1, 60);
	INSERT INTO refund_102021 VALUES (1, 2, 1, 20), (1, 3, 1, 20), (1, 4, 2, 30);
});
like(refused(q{INSERT INTO refund_102021 VALUES (1, 5, 1, 1)}), qr/23I05/, 'a limit holds on a shard');
like(refused(q{INSERT INTO refund_102021 VALUES (1, 5, 2, 40), (1, 6, 2, 31)}), qr/23I05/, 'of several rows, too');
is(ask('SELECT string_agg(refunded::text, $$,$$ ORDER BY id) FROM payment_102020'), '100,30', 'and counts each row once');
shard('refund', 102022);
ask(q{
	ALTER TABLE refund_102022 ADD FOREIGN KEY (tenant, payment) REFERENCES payment_102020 NOT VALID;
	CREATE ROLE stranger;
	ALTER TABLE refund_102022 OWNER TO stranger;
});
like(refused(q{INSERT INTO refund_102022 VALUES (1, 7, 2, 1)}), qr/39P01/, 'a table of somebody else is no shard, whatever it is called');

# Guards of tables that the stand-in calls distributed.
ask(q{
	SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> created\ncreated --> paid\npaid --> [*]\n');
	CREATE TABLE copied (id int PRIMARY KEY, status text NOT NULL);
	CREATE TABLE parted (id int PRIMARY KEY, status text NOT NULL) PARTITION BY RANGE (id);
	INSERT INTO pg_dist_partition VALUES ('payment', 's'), ('parted', 's'), ('copied', 't');
});
like(refused($_), qr/0A000/, "refused: $_")
	for q{SELECT idem.guard_states('payment', 'status', 'm')}, q{SELECT idem.guard_fixed('copied', '{status}')},
	q{SELECT idem.guard_fixed('parted', '{status}')}, q{SELECT idem.guard_claimed('payment', '{id}', 'in')},
	q{CREATE TABLE account (id int PRIMARY KEY); CREATE TABLE entry (id int PRIMARY KEY, account int NOT NULL REFERENCES account, amount int NOT NULL);
		INSERT INTO pg_dist_partition VALUES ('account', 's'), ('entry', 's');
		SELECT idem.guard_balance('entry', 'account', amount => 'amount', balance => 'balance')};
ask(q{SELECT idem.guard_states('payment', 'status', 'm', history => false)});
my $carried = q{SELECT idem.setting(idem.trigger_settings(tgargs), 'diagram') FROM pg_trigger WHERE tgname = 'idem_states_status'};
like(ask($carried), qr/created --> paid/, 'the trigger carries the diagram');
ask(q{INSERT INTO payment (tenant, id, amount, status) VALUES (1, 1, 5, 'created')});
like(refused(q{INSERT INTO payment (tenant, id, amount, status) VALUES (1, 2, 5, 'paid')}), qr/23I02/, 'and judges by it');
my $next = q{SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> created\ncreated --> paid\ncreated --> lost\npaid --> [*]\nlost --> [*]\n', loosen => 'r')};
ask($next);
like(ask($carried), qr/created --> lost/, 'a new version is put into it');
is(ask(q{SELECT tgenabled FROM pg_trigger WHERE tgname = 'idem_states_status'}), 'A', 'and it still fires always');
is(ask(q{SELECT outcome FROM idem.transition('payment', '{"tenant": 1, "id": 1}', 'lost')}), 'applied', 'by which a row changes');
is(ask(q{SELECT count(*) FROM idem.machine_problems WHERE finding ~ 'another diagram'}), '0', 'the doctor finds nothing wrong with it');
like(refused(q{SELECT idem.define_machine('m', E'stateDiagram-v2\n[*] --> created\ncreated --> paid\npaid --> [*]\n', tighten => 'r')}),
	qr/42P17.*lacks state "lost" of 1 row/, 'not while a row stands in a state that goes');
is(ask(q{SELECT count(*) FROM idem.guards WHERE relation::text ~ '_10202'}), '1', 'of shards idem.guards lists none, but that of a stranger');

like(refused(q{SELECT idem.pause('machine', 'm', 'created', reason => 'r')}), qr/0A000.*cannot be paused/, 'no pause that other nodes do not hear of');

# A worker: definitions and DDL come from the coordinator.
ask(q{UPDATE pg_dist_local_group SET groupid = 1});
like(refused($next), qr/0A000.*on a worker/, 'no machine is defined on a worker');
is(ask(q{SELECT count(*) FROM idem.guards_undeclared WHERE relation = 'payment'::regclass}), '0', 'nobody is told to rearm what the coordinator declared');
like(refused(q{ALTER TABLE payment DISABLE TRIGGER idem_states_status}), qr/2BP01/, 'what weakens a guard is refused there');
ask(q{SET application_name = 'citus_internal gpid=10000000001'; ALTER TABLE payment DISABLE TRIGGER idem_states_status});
is(ask(q{SELECT tgenabled FROM pg_trigger WHERE tgname = 'idem_states_status'}), 'D', 'but not what was judged on the coordinator');

ask('DROP EXTENSION citus');
is(ask(q{SELECT outcome FROM idem.claim('in', 'gone')}), 'granted', 'granted when Citus is gone');

$node->stop;
done_testing();

END { unlink("$folder/citus.control", "$folder/citus--1.0.sql") if $node; }
