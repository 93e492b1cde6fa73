-- watch.sql - say every second how far a way has come; ended from outside
SELECT '    ' || shop.progress(:'queue', :'way') \watch 1
