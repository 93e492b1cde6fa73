-- What every program of this folder works on.
CREATE EXTENSION idem;
CREATE TABLE debit (message text NOT NULL, amount money_micro NOT NULL);
SELECT idem.create_scope('debit', effect => 'inside', fields => '{amount}');
SELECT idem.create_scope('payout', effect => 'outside', fields => '{amount}');
SELECT idem.guard_claimed('debit', key => '{message}', scope => 'debit');
