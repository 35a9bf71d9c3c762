INSERT INTO jobs (payload) VALUES ('{"t": 0, "pad": ""}');
