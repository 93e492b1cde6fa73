# Through pgbouncer in transaction mode each transaction may find another
# session of the server, and shares one with strangers: claims, dispatch and
# guards are as they are without it.
#
# Packages: pgbouncer libevent-2.1-7 libc-ares2
#
# Three poolers: one with a single session of the server, in which whatever a
# client leaves behind meets the next one; one that gives each transaction a new
# session, in which nothing that was left is there; and one with three sessions
# for eight clients that race.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $unpacked = $ENV{IDEM_PACKAGES} // '';
my ($program) = grep { -x } "$unpacked/usr/sbin/pgbouncer", '/usr/sbin/pgbouncer';
plan skip_all => 'pgbouncer is not to be had' if !defined $program;
$ENV{LD_LIBRARY_PATH} = join ':', glob("$unpacked/usr/lib/*-linux-gnu"), $ENV{LD_LIBRARY_PATH} // ();

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION idem;
	CREATE TABLE debit (message text NOT NULL, amount int NOT NULL);
	SELECT idem.create_scope('debit', effect => 'inside', fields => '{amount}');
	SELECT idem.guard_claimed('debit', '{message}', 'debit');
	SELECT idem.create_scope('payout', effect => 'outside', fields => '{}', quiet => '0');
	CREATE FUNCTION pay(message text, amount int) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE answer idem.claim_result;
	BEGIN
		answer := idem.claim('debit', message, jsonb_build_object('amount', amount));
		IF answer.granted THEN INSERT INTO debit VALUES (message, amount); END IF;
		RETURN answer.outcome;
	END $$;
});

my $folder = $node->basedir;
my @poolers;

# A pooler of its own socket, with so many sessions of the server
sub start_pooler
{
	my ($name, $settings) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my ($host, $server) = ($node->host, $node->port);

	append_to_file("$folder/$name.ini", <<"INI");
[databases]
postgres = host=$host port=$server user=@{[ $node->safe_psql('postgres', 'SELECT current_user') ]}
[pgbouncer]
listen_addr =
listen_port = $port
unix_socket_dir = $host
auth_type = any
pool_mode = transaction
max_client_conn = 50
ignore_startup_parameters = extra_float_digits,options
$settings
INI
	push @poolers, IPC::Run::start([ $program, "$folder/$name.ini" ], '>', "$folder/$name.log", '2>&1');
	my $way = "host=$host port=$port dbname=postgres";
	foreach (1 .. 100)
	{
		return $way if IPC::Run::run([ 'psql', '-X', '-q', '-d', $way, '-c', '' ], '>', '/dev/null', '2>&1');
		select(undef, undef, undef, 0.1);
	}
	die 'the pooler does not answer: ' . slurp_file("$folder/$name.log");
}

# What a client of a pooler hears: rows, and SQLSTATEs in place of errors
sub said
{
	my ($way, $sql) = @_;
	my ($out, $input) = ('', "\\set VERBOSITY sqlstate\n$sql\n");
	IPC::Run::run([ 'psql', '-X', '-qAt', '-d', $way ], '<', \$input, '>', \$out, '2>&1');
	return $out =~ s/(?:psql:\S* )?ERROR:  //gr =~ s/\n$//r;
}

my $shared = start_pooler('shared', 'default_pool_size = 1');
my $fresh = start_pooler('fresh', "default_pool_size = 1\nserver_lifetime = 0");
my $few = start_pooler('few', 'default_pool_size = 3');

#
# A session that is shared
#
is(said($shared, q{SELECT pay('a', 1); SELECT pay('a', 1); BEGIN; SELECT pay('b', 1); SELECT pay('b', 1); COMMIT;}),
	"granted\nreplayed\ngranted\nduplicate", 'claims in and outside of a transaction');
is(said($shared, q{BEGIN; SELECT outcome FROM idem.claim('debit', 'c', '{"amount": 1}'); ROLLBACK;}), 'granted', 'a client takes its claim back');
is(said($shared, q{INSERT INTO debit VALUES ('c', 1)}), '23I0A', 'and leaves nothing of it to the next one');
is(said($shared, q{SELECT outcome FROM idem.claim('debit', 'd', '{"amount": 1}')}), 'granted', 'nor does who commits');
is(said($shared, q{INSERT INTO debit VALUES ('d', 1)}), '23I0A', 'leave a claim that was granted');
is(said($shared, q{SELECT outcome FROM idem.reserve('payout', 'n', nonce => 'mine'); SELECT outcome, reentrant, token FROM idem.reserve('payout', 'n', nonce => 'mine');}),
	"reserved\nreserved|t|1", 'a nonce is known, whatever session asks');
is(said($shared, q{SELECT outcome FROM idem.reserve('payout', 'n', nonce => 'theirs')}), 'in_progress', 'and is no matter of the session');
is(said($shared, q{BEGIN; CALL idem.dispatch('payout', 'n', 1); COMMIT;}), '25001', 'dispatch is refused in a transaction');
is(said($shared, q{CALL idem.dispatch('payout', 'n', 1) \gset
SELECT :'outcome', :'granted'}), 'granted|t', 'and granted by itself');
is(said($shared, q{CALL idem.dispatch('payout', 'n', 1) \gset
SELECT :'outcome', :'granted'}), 'in_progress|f', 'once');
is(said($shared, q{DO $$DECLARE a idem.send_result; BEGIN PERFORM idem.reserve('payout', 'do'); COMMIT; CALL idem.dispatch('payout', 'do', 1, a);
	RAISE EXCEPTION USING MESSAGE = a.outcome, ERRCODE = CASE WHEN a.granted THEN 'GRANT' ELSE 'OTHER' END; END$$}), 'GRANT', 'in a block of PL/pgSQL');
# a client that goes away in the middle: the pooler ends the session of the server
my ($in, $out) = ("BEGIN; SELECT pay('gone', 1);\n", '');
my $gone = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $shared ], '<', \$in, '>', \$out);
$gone->pump until $out =~ /granted/;
$gone->kill_kill(grace => 0);
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE state LIKE 'idle in%'}) or die 'it stays';
is(said($shared, q{SELECT pay('gone', 1)}), 'granted', 'whose claim is taken back');

#
# Prepared statements belong to a session
#
is(said($fresh, q{PREPARE p AS SELECT pay('p', 1); EXECUTE p;}), '26000', 'a prepared statement is not there in the next session');
is(said($fresh, q{SELECT pay('p', 1)}), 'granted', 'and nothing was granted');
is(said($fresh, q{BEGIN; PREPARE p AS SELECT pay('q', 1); EXECUTE p; DEALLOCATE p; COMMIT;}), 'granted', 'within a transaction it is');

#
# Races: each message eight times, unnamed statements of the protocol
#
sub race
{
	my ($name, $script) = @_;
	my ($out, $err);

	append_to_file("$folder/$name.sql", $script);
	my @command = ('pgbench', '-n', '-M', 'extended', '-c', 8, '-j', 2, '-t', 200, '-f', "$folder/$name.sql", $few);
	ok(IPC::Run::run(\@command, '>', \$out, '2>', \$err), "$name: 1,600 transactions") or diag($err);
}

# all clients count together, so that they meet at each key
$node->safe_psql('postgres', 'CREATE SEQUENCE n');
race('claims', <<'SQL');
SELECT nextval('n') / 8 AS n \gset
BEGIN;
SELECT pay('race' || :n, 7);
COMMIT;
SQL
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT message) FROM debit WHERE message LIKE 'race%'}), '201|201', 'an effect a message');
race('dispatches', <<'SQL');
SELECT nextval('n') / 8 AS n \gset
SELECT coalesce(token, 0) AS token FROM idem.reserve('payout', 'race' || :n, nonce => 'n') \gset
CALL idem.dispatch('payout', 'race' || :n, 1);
SQL
is($node->safe_psql('postgres', q{SELECT count(*), count(DISTINCT key), max(attempt) FROM idem.attempt WHERE key LIKE 'race%'}), '201|201|1',
	'what is sent is sent once');

$_->signal('INT') foreach @poolers;
$_->finish foreach @poolers;
$node->stop;
done_testing();
