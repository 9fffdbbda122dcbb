#!/usr/bin/env python3
"""Negative control: a plain TCP forwarder to the first endpoint it finds. It must differ in nearly every case that involves a policy.
  SUBJECT_CMD='lib/dumb_subject.py {dir} {listen}' parity.py --subject cmd"""
import asyncio, glob, re, sys
d, listen = sys.argv[1:3]; m = re.search(r'ports:\s*\{\w+: (\d+)\}', ''.join(open(f).read() for f in glob.glob(d + '/*.yaml'))); port = int(m.group(1)) if m else 1
async def pipe(r, w):
    try:
        while True:
            b = await r.read(65536)
            if not b: break
            w.write(b); await w.drain()
    except Exception: pass
    w.close()
async def h(r, w):
    try: r2, w2 = await asyncio.open_connection('127.0.0.1', port)
    except OSError: w.close(); return
    await asyncio.gather(pipe(r, w2), pipe(r2, w))
async def main():
    a, p = listen.split(':')
    async with await asyncio.start_server(h, a, int(p)) as s: await s.serve_forever()
asyncio.run(main())
