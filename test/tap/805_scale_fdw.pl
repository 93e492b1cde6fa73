# A claim here and an effect there, by postgres_fdw: what the server does between
# the two commits, and what holds it.
#
# The server commits elsewhere before it commits here, and cannot take that back.
# A conflict that SERIALIZABLE finds at the very end is such a moment: the effect is
# there, its claim is not, and the message that comes again takes effect again.  A
# guard where the rows are refuses it from the beginning, so a claim
# is made where its effect is.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($share) = run_command([ 'pg_config', '--sharedir' ]);
plan skip_all => 'postgres_fdw is not to be had for this server' if !-e "$share/extension/postgres_fdw.control";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 5');
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE there');
$node->safe_psql('there', q{
	CREATE EXTENSION idem;
	CREATE TABLE plain (message text NOT NULL, amount numeric NOT NULL);
	CREATE TABLE debit (message text NOT NULL, amount numeric NOT NULL);
	SELECT idem.create_scope('debit', 'inside', '{}');
	SELECT idem.guard_claimed('debit', '{message}', 'debit');
	SELECT idem.define_machine('pay', E'stateDiagram-v2\n[*] --> made\nmade --> paid\npaid --> [*]');
	CREATE TABLE payment (id int PRIMARY KEY, amount numeric NOT NULL, status text NOT NULL);
	SELECT idem.guard_states('payment', 'status', 'pay');
	SELECT idem.guard_fixed('payment', '{amount}');
	CREATE TABLE refund (id int PRIMARY KEY, payment_id int NOT NULL REFERENCES payment, amount numeric NOT NULL);
	SELECT idem.guard_limit('refund', 'payment_id', amount => 'amount', cap => 'amount', used => 'refunded', released => NULL);
	CREATE TABLE request_key (key text PRIMARY KEY, request jsonb);
	SELECT idem.guard_keys('request_key', '{key}', request => 'request', fields => '{amount}');
	CREATE FUNCTION pay(message text, amount numeric) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE a idem.claim_result;
	BEGIN
		a := idem.claim('debit', message);
		IF a.granted THEN INSERT INTO debit VALUES (message, amount); END IF;
		RETURN a.outcome;
	END $$;
});
my ($host, $port) = ($node->host, $node->port);
$node->safe_psql('postgres', qq{
	CREATE EXTENSION idem;
	CREATE EXTENSION postgres_fdw;
	CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'there');
	CREATE USER MAPPING FOR PUBLIC SERVER there;
	CREATE SCHEMA there;
	IMPORT FOREIGN SCHEMA public FROM SERVER there INTO there OPTIONS (import_default 'true');
	SELECT idem.create_scope('debit', 'inside', '{}');
	CREATE TABLE note (id int PRIMARY KEY, t text);
	INSERT INTO note VALUES (1, 'a'), (2, 'a');
});

# SQLSTATE, or what was answered
sub answer
{
	my ($sql) = @_;
	my ($out, $err);
	my $status = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql", stdout => \$out, stderr => \$err);
	return $status == 0 ? $out : $err =~ /ERROR:  (\w{5}):/ ? $1 : "error $err";
}

sub rows
{
	my ($table) = @_;
	return $node->safe_psql('there', "SELECT count(*) FROM $table");
}

# Claim here, write there, under SERIALIZABLE, against a rival that makes the
# commit fail when everything elsewhere is committed: both read what the other
# writes, and the rival has committed when this session's commit begins.
sub deliver
{
	my ($table) = @_;
	my ($in, $out) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-X', '-qAt', '-d', $node->connstr('postgres') ], '<', \$in, '>', \$out, '2>&1');
	my $say = sub {
		$in .= "$_[0]\n\\echo end\n";
		$session->pump until $out =~ s/^(.*)end\n//s;
		return $1;
	};

	$say->("\\set VERBOSITY sqlstate\nBEGIN ISOLATION LEVEL SERIALIZABLE;");
	my $granted = $say->("SELECT outcome FROM idem.claim('debit', 'm');");
	my $wrote = $say->("INSERT INTO there.$table VALUES ('m', 88.00);");
	$say->(q{SELECT t FROM note WHERE id = 2; UPDATE note SET t = t || 'x' WHERE id = 1;});
	$node->safe_psql('postgres', q{BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT t FROM note WHERE id = 1; UPDATE note SET t = t || 'y' WHERE id = 2; COMMIT});
	my $ended = $say->('COMMIT;');
	$in .= "\\q\n";
	$session->finish;
	return join ' ', map { s/.*ERROR:  //sr =~ s/\s+//gr } grep { /\S/ } $granted, $wrote, $ended;
}

is(deliver('plain'), 'granted 40001', 'claimed here, written there, and the commit here fails');
is(rows('plain'), 1, 'what was written there is committed');
is(answer(q{SELECT outcome FROM idem.lookup('debit', 'm')}), 'unseen', 'and nobody knows of the key');
is(answer(q{BEGIN; SELECT outcome FROM idem.claim('debit', 'm'); INSERT INTO there.plain VALUES ('m', 88.00); COMMIT}), 'granted',
	'the message comes again, and is granted');
is(rows('plain'), 2, 'it took effect twice: a claim here holds nothing there');

is(answer(q{BEGIN; SELECT outcome FROM idem.claim('debit', 'n'); INSERT INTO there.debit VALUES ('n', 88.00); COMMIT}), '23I0A',
	'guard_claimed where the rows are refuses a claim that was made here');
is(rows('debit'), 0, 'nothing is written there');
is(answer(q{SELECT outcome FROM idem.lookup('debit', 'n')}), 'unseen', 'nor claimed here');

#
# What works: the claim where the effect is, in one call or as a row of a table of
# keys
#
is(answer(q{INSERT INTO there.request_key VALUES ('k', '{"amount": 1}') ON CONFLICT DO NOTHING RETURNING true}), 't', 'a key there is granted');
is(answer(q{INSERT INTO there.request_key VALUES ('k', '{"amount": 1}') ON CONFLICT DO NOTHING RETURNING true}), '', 'once');
is(answer(q{INSERT INTO there.request_key VALUES ('k', '{"amount": 2}') ON CONFLICT DO NOTHING RETURNING true}), '23I0D', 'and not for another request');

#
# Guards over there hold, and their words come through
#
is(answer(q{INSERT INTO there.payment VALUES (1, 100, 'made'); UPDATE there.payment SET status = 'paid' WHERE id = 1 RETURNING status}), 'paid', 'a payment there');
is(answer($_->[0]), $_->[1], "$_->[1]: $_->[0]")
  foreach (
	[ q{UPDATE there.payment SET status = 'made' WHERE id = 1}, '23I03' ],
	[ q{UPDATE there.payment SET amount = 1 WHERE id = 1}, '23I07' ],
	[ q{INSERT INTO there.payment VALUES (2, 1, 'paid')}, '23I02' ],
	[ q{INSERT INTO there.refund VALUES (1, 1, 101)}, '23I05' ]);
is(answer(q{INSERT INTO there.refund VALUES (1, 1, 60), (2, 1, 40)}), '', 'refunds there');
is(answer(q{INSERT INTO there.refund VALUES (3, 1, 1)}), '23I05', 'and no more');
my ($out, $err);
$node->psql('postgres', q{UPDATE there.payment SET status = 'made' WHERE id = 1}, stdout => \$out, stderr => \$err);
like($err, qr/cannot change from final state "paid".*\nDETAIL: .*"pay"/s, 'with the DETAIL');

#
# What idem refuses of foreign tables
#
is(answer($_->[0]), $_->[1], "$_->[1]: $_->[0]")
  foreach (
	[ q{SELECT idem.guard_states('there.payment', 'status', 'pay')}, '42809' ],
	[ q{SELECT idem.guard_fixed('there.payment', '{amount}')}, '42809' ],
	[ q{SELECT idem.guard_claimed('there.debit', '{message}', 'debit')}, '42809' ],
	[ q{SELECT idem.guard_keys('there.request_key', '{key}')}, '42809' ],
	[ q{BEGIN; INSERT INTO there.plain VALUES ('two-phase', 1); PREPARE TRANSACTION 'x'}, '0A000' ]);
$node->safe_psql('postgres', q{
	CREATE TABLE parted (message text NOT NULL, amount numeric NOT NULL) PARTITION BY LIST (message);
	CREATE TABLE parted_here PARTITION OF parted FOR VALUES IN ('here');
	SELECT idem.guard_claimed('parted', '{message}', 'debit')});
is(answer(q{CREATE FOREIGN TABLE parted_there PARTITION OF parted FOR VALUES IN ('there') SERVER there OPTIONS (table_name 'plain')}), '2BP01',
	'a foreign table does not become a partition of a guarded table');

$node->stop;
done_testing();
