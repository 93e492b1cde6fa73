<?php
// pdo.php - PDO, as it is and with values written into the statement

function say(string $text): void
{
	file_put_contents(getenv('CLIENTS_RECORD'), $text . "\n", FILE_APPEND);
}

function step(string $name, callable $work): void
{
	say("-- $name");
	try {
		$result = $work();
		if ($result !== null)
			say('--   gives ' . json_encode($result));
	} catch (PDOException $e) {
		say('--   raises ' . $e->getCode());
	}
}

$dsn = sprintf('pgsql:host=%s;port=%s;dbname=postgres;sslmode=disable', getenv('PGHOST'), getenv('PGPORT'));
$db = new PDO($dsn, 'postgres', '', [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
	PDO::PGSQL_ATTR_DISABLE_PREPARES => (bool) getenv('POOLED')]);
$insert = 'INSERT INTO payment (amount, currency, status) VALUES (?, ?, ?)';
$run = function (string $sql, array $values) use ($db): void {
	$db->prepare($sql)->execute($values);
};
$bind = function (string $sql, $value, int $type) use ($db): void {
	$statement = $db->prepare($sql);
	$statement->bindValue(1, $value, $type);
	$statement->execute();
};

step('insert a decimal as text', fn() => $run($insert, ['12.34', 'EUR', 'created']));
step('lastInsertId', fn() => $db->lastInsertId());
step('insert a whole number', fn() => $run($insert, [5, 'EUR', 'created']));
step('lastInsertId', fn() => $db->lastInsertId());
step('insert a float', fn() => $run($insert, [12.34, 'EUR', 'created']));
step('insert, bound as PARAM_INT', fn() => $bind("INSERT INTO payment (amount, currency, status) VALUES (?, 'EUR', 'created')", 5, PDO::PARAM_INT));
step('update the state', fn() => $run('UPDATE payment SET status = ? WHERE id = ?', ['paying', 1]));
step('lastInsertId', fn() => $db->lastInsertId());
step('refund', fn() => $run('INSERT INTO refund (payment_id, amount) VALUES (?, ?)', [1, '2.34']));
step('lastInsertId', fn() => $db->lastInsertId());
step('decrement', fn() => $run('UPDATE account SET balance = balance - ? WHERE id = ?', ['1.50', 1]));
step('read', fn() => $db->query('SELECT amount FROM payment WHERE id = 1')->fetchColumn());
step('read as JSON', fn() => json_decode($db->query('SELECT to_jsonb(p) FROM payment p WHERE id = 1')->fetchColumn())->amount);
$db->setAttribute(PDO::ATTR_EMULATE_PREPARES, true);
step('emulated: insert a decimal as text', fn() => $run($insert, ['12.34', 'EUR', 'created']));
step('emulated: bound as PARAM_INT', fn() => $bind("INSERT INTO payment (amount, currency, status) VALUES (?, 'EUR', 'created')", 5, PDO::PARAM_INT));
step('emulated: decrement', fn() => $run('UPDATE account SET balance = balance - ? WHERE id = ?', ['1.50', 1]));
