# steps.py - what the programs in Python share; see steps.mjs
import os


def say(text):
    with open(os.environ['CLIENTS_RECORD'], 'a') as record:
        record.write(text + '\n')


def step(name, work):
    say('-- ' + name)
    try:
        result = work()
        if result is not None:
            say('--   gives %r' % (result,))
    except Exception as e:
        cause = e
        while cause is not None and not getattr(cause, 'pgcode', None) and not getattr(cause, 'sqlstate', None):
            cause = getattr(cause, 'orig', None) or cause.__cause__
        code = getattr(cause, 'pgcode', None) or getattr(cause, 'sqlstate', None)
        say('--   raises %s %s' % (type(e).__name__, code))
