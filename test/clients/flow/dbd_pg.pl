# DBI and DBD::Pg: pg_server_prepare = 0 behind a pooler in transaction mode
use strict;
use warnings;

use DBI;

my $key = $ARGV[0];
my $amount = '{"amount":88.00}';
my $db = DBI->connect("dbi:Pg:dbname=postgres;host=$ENV{PGHOST};port=$ENV{PGPORT}", 'postgres', '',
	{ RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_server_prepare => $ENV{POOLED} ? 0 : 1 });

$db->begin_work;
print "granted\n" if ($db->selectrow_array("SELECT granted FROM idem.claim('debit', ?, ?)", undef, $key, $amount))[0];
$db->do('INSERT INTO debit VALUES (?, ?)', undef, $key, '88.00');
$db->commit;
print "settled\n" if ($db->selectrow_array("SELECT settled FROM idem.claim('debit', ?, ?)", undef, $key, $amount))[0];
eval { $db->do('INSERT INTO debit VALUES (?, ?)', undef, $key, '88.00') };
print 'refused ', $db->state, "\n" if $@;
my ($token) = $db->selectrow_array("SELECT token FROM idem.reserve('payout', ?, ?)", undef, $key, $amount);
print "dispatched\n" if $db->selectrow_hashref("CALL idem.dispatch('payout', ?, ?)", undef, $key, $token)->{granted};
print 'amount ', $db->selectrow_array('SELECT sum(amount) FROM debit WHERE message = ?', undef, $key), "\n";
