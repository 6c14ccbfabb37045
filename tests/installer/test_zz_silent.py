import asyncio, time, sys
from tests.installer.test_run_lab import *
pytest_plugins=["tests.lab.fixtures"]
async def test_x(lab, machine_factory, monkeypatch):
    machine=machine_factory()
    monkeypatch.setattr(login, "KEEPALIVE_SECONDS", 1)
    run, watch = new_run(ONE_STEP), Watch()
    async with Pool(site(lab, machine), connect_timeout=2.0) as pool:
        c = await pool.connect(site(lab,machine).hosts[0])
        running = asyncio.create_task(engine(ONE_STEP, run, pool=pool, watch=watch).run())
        await when(lambda: len(watch.lines()) >= 5)
        print("hosts", list(pool._open))
        machine.drop_port(22); t=time.time()
        for i in range(20):
            await asyncio.sleep(1); print(round(time.time()-t), [x.result().closed for x in pool._open.values() if x.done() and not x.exception()], len(watch.lines()), [e.data for e in watch.of(Kind.NOTE)])
            if any("out of" in str(e.data) for e in watch.of(Kind.NOTE)): break
        else:
            for tk in asyncio.all_tasks(): tk.print_stack()
        machine.undrop(); await running
