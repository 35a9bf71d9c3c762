INSERT INTO jobs (payload) SELECT '{"t": 0, "pad": ""}' FROM generate_series(1, 1000);
