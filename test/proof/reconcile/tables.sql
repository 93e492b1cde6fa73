-- What data.sql reads; reconcile.sh fills it.
CREATE EXTENSION IF NOT EXISTS idem;
CREATE SCHEMA data;
CREATE TABLE data.berka (file_seq int, trans_id int, account_id int, date date, type text, operation text, amount numeric, balance_after numeric,
                         purpose text, partner_bank text, partner_account text);
CREATE TABLE data.statement (file text, format text, source_repo text, statement_no int, entries int, currency text, account text,
                             opening numeric, closing numeric, net_of_entries numeric, "check" text);
CREATE TABLE data.entry (file text, statement_no int, entry_no int, date text, mark text, signed_amount numeric, reference text);
CREATE TABLE data.ach_file (file text, bytes int, batches int, entries int, addenda int, sum_debit_cents bigint, sum_credit_cents bigint, entry_hash text,
                            batch_controls_not_matching int, file_control_matches text, return_addenda int, return_codes text, duplicate_trace_numbers int);
CREATE TABLE data.fine (case_id text, event_no int, activity text, date date, amount numeric, total_payment_amount numeric, payment_amount numeric,
                        expense numeric, dismissal text, points text, vehicle_class text, article text, notification_type text, last_sent text);
CREATE TABLE data.fine_case (case_id text, events int, payments int, last_amount_cents bigint, expense_cents bigint, paid_cents bigint, final_state text,
                             after_full int, after_credit int, mismatches int);
-- The files as they are, a row a line
CREATE TABLE data.raw (file text, n bigint GENERATED ALWAYS AS IDENTITY, line text);
CREATE TABLE data.answer (what text, expected text, found text);
