# dbd_pg.pl - DBI and DBD::Pg, which leaves the types to the server
use strict;
use warnings;

use DBI;

sub say_it
{
	open(my $record, '>>', $ENV{CLIENTS_RECORD}) or die;
	print $record "$_[0]\n";
	close($record);
	return;
}

my $db = DBI->connect("dbi:Pg:dbname=postgres;host=127.0.0.1;port=$ENV{PGPORT};sslmode=disable",
	'postgres', '', { RaiseError => 1, PrintError => 0, AutoCommit => 1, pg_server_prepare => $ENV{POOLED} ? 0 : 1 });

sub step
{
	my ($name, $work) = @_;

	say_it("-- $name");
	my $result = eval { $work->() };
	say_it('--   raises ' . $db->state) if $@;
	say_it("--   gives $result") if !$@ && defined $result && $result ne '1';
	return;
}

my $insert = q{INSERT INTO payment (amount, currency, status) VALUES (?, 'EUR', 'created')};
step('insert a decimal', sub { $db->do($insert, undef, 12.34) });
step('insert a decimal as text', sub { $db->do($insert, undef, '12.34') });
step('insert an integer', sub { $db->do($insert, undef, 5) });
step('last_insert_id', sub { 'id ' . $db->last_insert_id(undef, undef, 'payment', undef) });
step('insert, bound as an integer', sub {
	my $s = $db->prepare($insert);
	$s->bind_param(1, 5, { pg_type => DBD::Pg::PG_INT4() });
	$s->execute;
});
step('insert, quoted into the statement', sub { $db->do(sprintf "INSERT INTO payment (amount, currency, status) VALUES (%s, 'EUR', 'created')", $db->quote('12.34')) });
step('update the state', sub { $db->do('UPDATE payment SET status = ? WHERE id = ?', undef, 'paying', 1) });
step('update the state again', sub { $db->do('UPDATE payment SET status = ? WHERE id = ?', undef, 'paying', 1) });
step('decrement', sub { $db->do('UPDATE account SET balance = balance - ? WHERE id = ?', undef, '1.50', 1) });
step('decrement by a number', sub { $db->do('UPDATE account SET balance = balance - ? WHERE id = ?', undef, 1, 1) });
step('read', sub { $db->selectrow_array('SELECT amount FROM payment WHERE id = 1') });
