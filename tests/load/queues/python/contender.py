"""procrastinate as a contender: `../contract.rs` in this language."""

import asyncio
import json
import os
import sys
import time

from procrastinate import App, PsycopgConnector

BATCH = 1000
SINGLES = 10.0
SETTLING = 1.0
GAP = 0.05
TICK = 0.02
LOST = 10.0
STOPPING = 20.0
CONCURRENCY = 10

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))


class Starts:
    """Counts the starts of handlers."""

    def __init__(self):
        self.count = 0
        self.probes = asyncio.Queue()

    def note(self, number):
        self.count += 1
        if number > 0:
            self.probes.put_nowait(time.perf_counter())


starts = Starts()


@app.task(name="nothing")
async def nothing(t, pad):
    starts.note(t)


async def send_many(count):
    await nothing.batch_defer_async(*({"t": 0, "pad": ""} for _ in range(count)))


async def enqueue(mode, count):
    if mode == "single":
        await nothing.defer_async(t=0, pad="")
    begun, sent = time.perf_counter(), 0
    while sent < count and not (mode == "single" and time.perf_counter() - begun > SINGLES):
        size = 1 if mode == "single" else min(BATCH, count - sent)
        await (nothing.defer_async(t=0, pad="") if mode == "single" else send_many(size))
        sent += size
    return {"jobs": sent, "seconds": time.perf_counter() - begun}


def work():
    running = app.run_worker_async(concurrency=CONCURRENCY, install_signal_handlers=False)
    return asyncio.create_task(running)


async def stop(worker):
    """Cancelled, a worker ends what runs and then itself."""
    worker.cancel()
    done, _ = await asyncio.wait([worker], timeout=STOPPING)
    if not done:
        raise TimeoutError("the worker does not stop")


async def drain(count, cap):
    cpu, begun = time.process_time(), time.perf_counter()
    worker = work()
    while starts.count < count and time.perf_counter() - begun < cap:
        await asyncio.sleep(0.002)
    seconds = time.perf_counter() - begun
    measured = {"jobs": starts.count, "seconds": seconds, "cpu_seconds": time.process_time() - cpu}
    await stop(worker)
    return measured


async def latency(probes, rate):
    worker = work()
    await asyncio.sleep(SETTLING)
    begun, before = time.perf_counter(), starts.count
    flowing = asyncio.create_task(flow(rate))
    millis = []
    for number in range(1, probes + 1):
        asked = time.perf_counter()
        await nothing.defer_async(t=number, pad="")
        try:
            started = await asyncio.wait_for(starts.probes.get(), LOST)
        except TimeoutError:
            # The queue is stuck or cannot keep up.
            millis.append(LOST * 1000)
            break
        millis.append((started - asked) * 1000)
        await asyncio.sleep(GAP)
    background = (starts.count - before - probes) / (time.perf_counter() - begun)
    flowing.cancel()
    await stop(worker)
    return {"millis": millis, "background": background}


async def flow(rate):
    """Enqueues so many jobs a second; what is overdue is not made up for."""
    begun, sent = time.perf_counter(), 0
    while rate > 0:
        await asyncio.sleep(max(TICK, 1 / rate))
        due = int((time.perf_counter() - begun) * rate)
        if due > sent:
            await send_many(min(BATCH, due - sent))
        sent = due


async def main(verb, *words):
    async with app.open_async():
        if verb == "setup":
            await app.schema_manager.apply_schema_async()
            return {}
        if verb == "enqueue":
            return await enqueue(words[0], int(words[1]))
        if verb == "drain":
            return await drain(int(words[0]), float(words[1]))
        return await latency(int(words[0]), float(words[1]))


print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
