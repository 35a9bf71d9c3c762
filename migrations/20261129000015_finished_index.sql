-- Owner: job-queue.
-- Apart from the indexes that take its place: dropping asks for a stronger lock than making, and who
-- asks for more while others wait for less ends in a deadlock.
DROP INDEX jobs_finished;
