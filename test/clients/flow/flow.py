# What the programs in Python share: ask(sql, *values) gives the first row
AMOUNT = '{"amount":88.00}'


def flow(ask, alone, commit, rollback, code, key, mark='%s', amount='88.00'):
    def sql(text):
        return text.replace('?', mark) if '%d' not in mark else number(text, mark)

    if ask(sql("SELECT granted FROM idem.claim('debit', ?, ?)"), key, AMOUNT)[0]:
        print('granted')
    ask(sql('INSERT INTO debit VALUES (?, ?)'), key, amount)
    commit()
    if ask(sql("SELECT settled FROM idem.claim('debit', ?, ?)"), key, AMOUNT)[0]:
        print('settled')
    commit()
    try:
        ask(sql('INSERT INTO debit VALUES (?, ?)'), key, amount)
    except Exception as e:
        print('refused', code(e))
    rollback()
    token = ask(sql("SELECT token FROM idem.reserve('payout', ?, ?)"), key, AMOUNT)[0]
    commit()
    # it commits by itself: autocommit; the first two columns are outcome and granted
    alone()
    if ask(sql("CALL idem.dispatch('payout', ?, ?)"), key, token)[1]:
        print('dispatched')
    print('amount', ask(sql('SELECT sum(amount) FROM debit WHERE message = ?'), key)[0])


def number(text, mark):
    n = 0
    while '?' in text:
        n += 1
        text = text.replace('?', mark % n, 1)
    return text
