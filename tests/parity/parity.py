#!/usr/bin/env python3
"""Parity lab: real Istio translation + real Envoy is the truth; any other data plane is compared with it. See README.md.
  parity.py --record [--runs 2] [NAME...]    run the cases on Envoy, check that the runs agree, write expected/
  parity.py --subject envoy|cmd [NAME...]    compare a subject with expected/ and print a table
  parity.py --list | --show NAME             NAME is a substring of group/case"""
import argparse, asyncio, collections, glob, json, os, re, shutil, sys, tempfile, time
HERE = os.path.dirname(os.path.abspath(__file__)); sys.path.insert(0, HERE + '/lib')
SUITE = os.environ.get('PARITY_SUITE', HERE)  # the folder with cases/ and expected/
import yaml, shlex, subprocess
from email.utils import parsedate_to_datetime
from backend import Endpoint, pairs
import subject as S

UUID = re.compile(r'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$')
DATE = re.compile(r'^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} [\d:]{8} GMT$')

LOCAL = set(subprocess.run(['hostname', '-I'], capture_output=True, text=True).stdout.split())

def load_cases(filt):
    out = []
    for f in sorted(glob.glob(SUITE + '/cases/*/*.yaml')):
        name = os.path.relpath(f, SUITE + '/cases')[:-5]
        if filt and not any(x in name for x in filt): continue
        c = yaml.safe_load(open(f)); c['name'] = name; out.append(c)
    return out

def service_entry(name, s, eps):
    ns = s.get('namespace', 'default'); pn = s.get('port_name', 'http')
    ep = []
    for n in s.get('endpoints', list(eps)):
        e = eps[n]; d = dict(address='127.0.0.1', ports={pn: e.port}, labels=dict(e.spec.get('labels') or {}))
        if e.spec.get('locality'): d['locality'] = e.spec['locality']
        if e.spec.get('weight'): d['weight'] = e.spec['weight']
        ep.append(d)
    return dict(apiVersion='networking.istio.io/v1', kind='ServiceEntry', metadata=dict(name=name, namespace=ns),
        spec=dict(hosts=[s.get('host', f'{name}.{ns}.svc.cluster.local')], addresses=[s.get('vip', '127.77.0.9')], ports=[dict(number=s.get('port', 3000), name=pn, protocol=s.get('protocol', 'HTTP'))],
            resolution='STATIC', location='MESH_INTERNAL', endpoints=ep))

class Run:
    def __init__(self, case, kind, tmp): self.c, self.kind, self.d = case, kind, tempfile.mkdtemp(prefix=case['name'].replace('/', '_') + '_', dir=tmp)

    def norm(self, k, v):
        kl = k.lower()
        if kl == 'date' and DATE.match(v) and abs(parsedate_to_datetime(v).timestamp() - time.time()) < 86400: return '<date>'
        if len(v) > 300: return f'<{len(v)} bytes>'
        if kl == 'x-forwarded-for': v = ','.join('<node-ip>' if x in LOCAL else x for x in v.split(','))
        if kl == 'x-request-id' and UUID.match(v) and v not in self.sent: return '<uuid>'
        if kl == 'x-envoy-upstream-service-time' and v.isdigit(): return '<ms>'
        if kl in ('sec-websocket-key',): return v
        for p, n in self.ports.items(): v = v.replace(f'127.0.0.1:{p}', f'127.0.0.1:<{n}>')
        if kl == 'set-cookie': v = re.sub(r'="[0-9a-f]{8,}"', '="<cookie>"', v)
        return v
    def hdr(self, hs): return sorted(f'{k}: {self.norm(k, v)}' for k, v in hs)

    async def go(self):
        c = self.c; eps = self.eps = {n: Endpoint(n, s) for n, s in (c.get('endpoints') or {'e1': {'labels': {'version': 'v1'}}}).items()}
        for e in eps.values(): e.reserve(S.free_port())
        self.ports = {e.port: n for n, e in eps.items()}; self.sent = json.dumps(c.get('steps'))
        svcs = c.get('services') or {'greeter-service': {}}
        main = next(iter(svcs.values())) or {}; svc_port = c.get('port', main.get('port', 3000)); vip = main.get('vip', '127.77.0.9')
        pol = c.get('policies', '')
        for n, e in eps.items(): pol = pol.replace(f'$PORT({n})', str(e.port))
        normal = {n: e for n, e in eps.items() if n != 'passthru'}
        docs = '---\n'.join([yaml.safe_dump(service_entry(n, s or {}, normal), sort_keys=False, default_flow_style=None) for n, s in svcs.items()] + ([pol] if pol.strip() else []))
        open(self.d + '/docs.yaml', 'w').write(docs); log = self.d + '/access.log'; open(log, 'w').close()
        sub = dict(envoy=S.Envoy, cmd=S.Cmd)[self.kind](c, self.d, docs, log); port = S.free_port(); self.ports[port] = 'listen'; out = dict(case=c['name'])
        cl = None
        try:
            for e in eps.values(): await e.start()
            err = await sub.start(port, svc_port, vip, eps['passthru'].port if 'passthru' in eps else None)
            if sub.warnings: out['istio_warnings'] = sub.warnings
            if err:
                out.update(err)
                for k in ('rejected_by_istio',):
                    if k in out: out[k] = out[k]
                return out
            addr = [vip, svc_port] if os.environ.get('SUBJECT_TARGET') == 'vip' and self.kind == 'cmd' else ['127.0.0.1', port]
            pre = shlex.split(os.environ.get('SUBJECT_CLIENT_PREFIX', '')) if self.kind == 'cmd' else []
            cl = await asyncio.create_subprocess_exec(*pre, sys.executable, HERE + '/lib/client.py', stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26)
            self.logpos = 0; out['steps'] = []
            host = c.get('host', next(iter(svcs)) + f':{svc_port}')
            for st in c['steps']:
                o = await self.step(st, cl, addr, host, log)
                if o is not None: out['steps'].append(o)
            if c.get('stats') and self.kind == 'envoy':
                r, w = await asyncio.open_connection('127.0.0.1', sub.admin); w.write(b'GET /stats HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'); b = (await r.read()).decode(); w.close()
                out['info_stats'] = {}
                for l in b.splitlines():
                    if any(re.search(x, l) for x in c['stats']) and not l.endswith(': 0'): k, _, v = l.rpartition(': '); out['info_stats'][re.sub(r'.*local;?\.', '', k)] = v
            if sub.p.poll() is not None: out['error'] = f'subject exited {sub.p.returncode}'
        finally:
            if cl and cl.returncode is None: cl.stdin.close(); cl.terminate(); await cl.wait()
            await sub.stop()
            for e in eps.values(): await e.stop()
        return out

    async def step(self, st, cl, addr, host, log):
        if 'sleep' in st: await asyncio.sleep(st['sleep']); return
        if 'plan' in st:
            for n, p in st['plan'].items(): self.eps[n].set_plan(p)
            return
        if 'up' in st: await self.eps[st['up']].up(); return
        if 'down' in st: await self.eps[st['down']].down(); return
        kind = 'load' if 'load' in st else 'par' if 'par' in st else 'close' if 'close' in st else 'seq'
        if kind == 'close': m = dict(kind='close', names=st['close'], reqs=[])
        elif kind == 'load': m = dict(st['load'], kind='load', reqs=[st['load'].get('req', {})])
        elif kind == 'par': m = dict(kind='par', reqs=st['par'])
        else: m = dict(kind='seq', reqs=[st.get('req') or {}] * st.get('times', 1))
        m['reqs'] = [dict({'host': host}, **(q or {})) for q in m['reqs']]; m['addr'] = addr
        starts = {n: len(e.log) for n, e in self.eps.items()}; cstart = {n: e.conns for n, e in self.eps.items()}
        cl.stdin.write((json.dumps(m) + '\n').encode()); await cl.stdin.drain(); r = json.loads(await cl.stdout.readline())
        if 'error' in r: return dict(client_error=r['error'], tb=r.get('tb'))
        if kind == 'close': await asyncio.sleep(0.1); return
        want = len(r['res']) if kind != 'load' else m['n']; lines = []; t = time.monotonic(); last = t
        while True:
            txt = open(log).read(); new = txt[self.logpos:]; cut = new.rfind('\n') + 1
            if cut: lines += [l for l in new[:cut].split('\n') if l.strip()]; self.logpos += cut; last = time.monotonic()
            n = time.monotonic()
            if (len(lines) >= want and n - last > 0.06) or n - t > st.get('log_wait', 0.8): break
            await asyncio.sleep(0.02)
        att = sorted((a for n, e in self.eps.items() for a in e.log[starts[n]:]), key=lambda a: a['t'])
        t0 = r['res'][0].get('t0', r['t0']) if kind == 'seq' else r['t0']
        logs = []
        for l in lines:
            try: j = json.loads(l)
            except ValueError: logs.append(dict(garbage=l)); continue
            det = j.get(os.environ.get('SUBJECT_LOG_DETAILS', 'response_code_details')); fl = j.get(os.environ.get('SUBJECT_LOG_FLAGS', 'response_flags'))
            logs.append(dict(code=j.get('response_code'), flags=fl if fl not in (None, '') else '-', details=det, info=dict(cluster=j.get('upstream_cluster'), attempts=j.get('attempts'), route=j.get('route_name'), term=j.get('connection_termination_details'), tf=j.get('upstream_transport_failure_reason'), up=self.norm('', str(j.get('upstream_host'))))))
        names = {}
        def lab(n):
            if not self.c.get('anon_ep'): return n
            return names.setdefault(n, chr(65 + len(names)))
        if kind == 'load':
            C = collections.Counter; res = r['res']; ms = sorted(x.get('ms', 0) * 1000 for x in res)
            d = dict(n=len(res), status=dict(C(str(x.get('status')) for x in res)), body=dict(C(str(x.get('body', '')).strip()[:90] for x in res)), end=dict(C(x.get('end') for x in res)), flags=dict(C(l.get('flags') for l in logs)), details=dict(C(l.get('details') for l in logs)),
                ep=dict(C(lab(a['ep']) for a in att)), attempts=len(att), conns={n: e.conns - cstart[n] for n, e in self.eps.items() if e.conns - cstart[n]}, p50=round(ms[len(ms) // 2]) if ms else 0, max=round(ms[-1]) if ms else 0, wall=round(r['wall'] * 1000))
            d['overloaded_header'] = sum(any(k.lower() == 'x-envoy-overloaded' for k, v in x.get('headers', [])) for x in res)
            for k in list(d['ep']): d['ep'][k] = d['ep'][k]
            by = {}
            for a in att: by.setdefault(a.get('start', ' ').split(' ')[1], []).append(a['ep'])
            d['distinct_all'] = sum(len(set(v)) == len(v) for v in by.values())  # requests (by path) whose tries all went to different hosts
            return dict(load=d, ranges=st.get('ranges', {}))
        A = []
        for a in att:
            x = dict(ep=lab(a['ep']), t=round((a['t'] - t0) * 1000))
            for k in ('start', 'body', 'tcp', 'accept_only', 'h2_error', 'rst_code'):
                if k in a: x[k] = a[k]
            if 'tcp' in x: x['tcp'] = re.sub(r'x-request-id: [0-9a-f-]{36}', 'x-request-id: <uuid>', x['tcp'])
            if 'start' in x and len(x['start']) > 300: x['start'] = f'<{len(x["start"])} bytes>'
            if 'headers' in a: x['headers'] = self.hdr(a['headers'])
            if 'trailers' in a: x['trailers'] = self.hdr(a['trailers'])
            if 'cancelled_ms' in a: x['cancelled'] = round((a['cancelled_ms'] - t0) * 1000)
            if kind == 'seq' and not self.c.get('anon_ep'): x['conn'] = a['conn']
            A.append(x)
        R = []
        for x in r['res']:
            y = dict(status=x.get('status', 0), end=x.get('end'))
            for k in ('body', 'line', 'closed', 'extra', 'partial', 'err', 'tunnel', 'tunnel_ms'):
                if k in x: y[k] = x[k]
            if self.c.get('anon_ep') and 'body' in y:
                for n in sorted(self.eps, key=len, reverse=True): y['body'] = re.sub(rf'\b{n}\b', lambda m: lab(n), y['body'])
            for k in ('extra',):
                if k in y: y[k] = re.sub(r'date: [^\r]*', 'date: <date>', re.sub(r'service-time: \d+', 'service-time: <ms>', y[k]))
            if 'headers' in x: y['headers'] = self.hdr(x['headers'])
            if 'trailers' in x: y['trailers'] = self.hdr(x['trailers'])
            if 'info' in x: y['info'] = [[s, self.hdr(h)] for s, h in x['info']]
            if 'ms' in x: y['ms'] = round(x['ms'] * 1000)
            R.append(y)
        if self.c.get('sort_attempts'): A.sort(key=lambda a: (a['ep'], a['t']))
        if kind == 'par' and st.get('unordered', True):
            k = lambda v: json.dumps({a: b for a, b in v.items() if a not in ('t', 'ms', 'cancelled', 'info', 'conn')}, sort_keys=True)
            R.sort(key=k); A.sort(key=k); logs.sort(key=k)
        o = dict(resp=R, attempts=A, log=logs)
        o['new_conns'] = {lab(n): e.conns - cstart[n] for n, e in self.eps.items() if e.conns - cstart[n]}
        if self.c.get('anon_ep'): o['new_conns'] = sum(o['new_conns'].values())
        if st.get('note'): o['note'] = st['note']
        return o

def near(a, b, tol): return abs(a - b) <= max(tol, 0.15 * max(a, b))

def diff(e, g, case):
    """list of (field, expected, got)"""
    out, tol, ign = [], case.get('tol_ms', 120), set(case.get('ignore', []))
    def add(f, a, b): out.append((f, a, b))
    for k in ('error', 'rejected_by_istio', 'client_error'):
        if k == 'rejected_by_istio' and k in e and k in g: continue
        if e.get(k) != g.get(k): add(k, e.get(k), g.get(k))
    es, gs = e.get('steps', []), g.get('steps', [])
    if len(es) != len(gs): add('steps', len(es), len(gs))
    for i, (a, b) in enumerate(zip(es, gs)):
        p = f'step{i + 1}'
        if 'client_error' in b or 'client_error' in a:
            add(p, a.get('client_error'), b.get('client_error')); continue
        if 'load' in a:
            for k, (lo, hi) in (a.get('ranges') or {}).items():
                v = b['load']
                for x in k.split('.', 1): v = (v.get(x, 0) if isinstance(v, dict) else 0)
                if not lo <= v <= hi: add(f'{p}.{k}', f'{lo}..{hi} (envoy {dig(a["load"], k)})', v)
            continue
        for f in ('resp', 'attempts', 'log'):
            if f in ign: continue
            x, y = a.get(f, []), b.get(f, [])
            if len(x) != len(y): add(f'{p}.{f}.count', len(x), len(y))
            for j, (m, n) in enumerate(zip(x, y)):
                q = f'{p}.{f}{j + 1 if len(x) > 1 else ""}'
                for k in sorted(set(m) | set(n)):
                    if k == 'info' and f == 'log' or k in ign or f'{f}.{k}' in ign: continue
                    u, v = m.get(k), n.get(k)
                    if k in ('t', 'ms', 'cancelled', 'tunnel_ms') and u is not None and v is not None:
                        if not near(u, v, tol): add(f'{q}.{k}', u, v)
                    elif k in ('headers', 'trailers') and u is not None and v is not None:
                        hi = {h.lower() for h in case.get('ignore_headers', []) + os.environ.get('SUBJECT_IGNORE_HEADERS', '').split(',')}
                        XT = 'x-envoy-expected-rq-timeout-ms: '
                        tu, tv = ([int(h[len(XT):]) for h in l if h.startswith(XT) and h[len(XT):].isdigit()] for l in (u, v))
                        if len(tu) == 1 and len(tv) == 1 and near(tu[0], tv[0], tol): hi.add(XT[:-2])  # a number: compared with tolerance
                        fil = lambda l: collections.Counter(h for h in l if h.split(':')[0].lower() not in hi)
                        cu, cv = fil(u), fil(v)
                        for h in (cu - cv): add(f'{q}.{k} missing', h, '')
                        for h in (cv - cu): add(f'{q}.{k} extra', '', h)
                    elif u != v: add(f'{q}.{k}', u, v)
        if 'new_conns' not in ign and a.get('new_conns') != b.get('new_conns'): add(p + '.new_conns', a.get('new_conns'), b.get('new_conns'))
    return out

def dig(d, k):
    for x in k.split('.', 1): d = d.get(x, 0) if isinstance(d, dict) else 0
    return d

def table(rows):
    w = [max([len(str(r[i])) for r in rows] + [4]) for i in range(2)]; w = [min(w[0], 44), min(w[1], 40)]
    print(f'{"case":<{w[0]}}  {"field":<{w[1]}}  expected -> got')
    for c, f, e, g in rows: print(f'{c:<{w[0]}}  {f:<{w[1]}}  {json.dumps(e)[:160]} -> {json.dumps(g)[:160]}')

async def run_all(cases, kind, jobs, tmp, keep):
    sem, res = asyncio.Semaphore(jobs), {}
    async def one(c):
        async with sem:
            r = Run(c, kind, tmp)
            try: res[c['name']] = await asyncio.wait_for(r.go(), c.get('limit', 90))
            except Exception as e:
                import traceback; res[c['name']] = dict(case=c['name'], error=f'harness: {e!r} ' + traceback.format_exc()[-600:])
            if not keep: shutil.rmtree(r.d, ignore_errors=True)
            if sys.stderr.isatty() or os.environ.get('VERBOSE'): print('.', end='', file=sys.stderr, flush=True)
    ser = [c for c in cases if c.get('alone')]; par = [c for c in cases if not c.get('alone')]
    await asyncio.gather(*(one(c) for c in par))
    for c in ser: await one(c)
    return res

def skip_list(path, cases):
    """{case: reason} of lines 'group/case  reason'. A line that names no case, or gives no reason, is an error: the list may not rot."""
    known, out = {c['name'] for c in cases}, {}
    for i, l in enumerate(open(path), 1):
        if not l.strip() or l.startswith('#'): continue
        name, _, why = l.strip().partition(' ')
        if name not in known or not why.strip() or name in out: sys.exit(f'{path}:{i}: {"no such case" if name not in known else "listed twice" if name in out else "no reason"}: {name}')
        out[name] = why.strip()
    return out

def validate(c, tmp):
    d = tempfile.mkdtemp(prefix='validate_', dir=tmp); open(d + '/case.yaml', 'w').write(c.get('policies', ''))
    p = subprocess.run(os.environ['SUBJECT_VALIDATE_CMD'].replace('{dir}', d), shell=True, capture_output=True, text=True); shutil.rmtree(d)
    if 0 < p.returncode < 128: return []
    return [(c['name'], 'rejected', json.load(open(epath(c['name'])))['rejected_by_istio'], f'exit {p.returncode}: ' + p.stdout[-120:])]  # accepted, or crashed

def epath(n): return f'{SUITE}/expected/{n}.json'

def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('--record', action='store_true'); a.add_argument('--runs', type=int, default=2); a.add_argument('--subject', choices=['envoy', 'cmd']); a.add_argument('--list', action='store_true')
    a.add_argument('--show', action='store_true', help='run on Envoy and print the outcome'); a.add_argument('-j', type=int, default=3); a.add_argument('--keep', action='store_true', help='keep the work folders'); a.add_argument('--json', help='write outcomes here')
    a.add_argument('--skip', help='file of cases to leave out, one "group/case  reason" a line'); a.add_argument('--skipped-only', action='store_true', help='run just those, to see which could go from the list')
    a.add_argument('--report', help='write {case: number of differences, or the reason why it was skipped} here'); a.add_argument('names', nargs='*')
    o = a.parse_args(); cases = load_cases(o.names); tmp = os.environ.get('PARITY_TMP') or tempfile.mkdtemp(prefix='parity'); os.makedirs(tmp, exist_ok=True)
    if o.list:
        for c in cases: print(f"{c['name']:<48} {c.get('about', '')}")
        print(len(cases), 'cases'); return 0
    if o.show:
        res = asyncio.run(run_all(cases, o.subject or 'envoy', o.j, tmp, o.keep))
        for n, r in res.items(): print(json.dumps(r, indent=1))
        return 0
    if o.record:
        runs = [asyncio.run(run_all(cases, 'envoy', o.j, tmp, o.keep)) for _ in range(o.runs)]; rows = []; bad = set()
        for c in cases:
            n = c['name']; first = runs[0][n]
            if 'error' in first: rows.append((n, 'error', '', first['error'])); bad.add(n)
            for k, r in enumerate(runs): rows += [(n, f'run {k + 1} {f}', e, g) for f, e, g in diff(first, r[n], c)]
            if n not in bad: os.makedirs(os.path.dirname(epath(n)), exist_ok=True); json.dump(first, open(epath(n), 'w'), indent=1); open(epath(n), 'a').write('\n')
        if rows: table(rows)
        un = {r[0] for r in rows}; print(f'{len(cases)} cases recorded, {o.runs} runs, {len(un)} unstable or failing'); return 1 if rows else 0
    if o.subject:
        rows = []; listed = skip_list(o.skip, load_cases([])) if o.skip else {}
        report = {c['name']: listed[c['name']] for c in cases if c['name'] in listed and not o.skipped_only}  # what is left out, and why
        cases = [c for c in cases if (c['name'] in listed) == o.skipped_only]
        if o.subject == 'cmd':
            skip = set(filter(None, os.environ.get('SUBJECT_SKIP', '').split(','))); run = []
            for c in cases:
                bad = os.path.exists(epath(c['name'])) and 'rejected_by_istio' in json.load(open(epath(c['name'])))
                if skip & set(c) or (bad and not os.environ.get('SUBJECT_VALIDATE_CMD')): report[c['name']] = 'needs ' + (', '.join(skip & set(c)) or 'SUBJECT_VALIDATE_CMD')
                elif bad: rows += validate(c, tmp)
                else: run.append(c)
            judged = [c['name'] for c in cases if c['name'] not in report]; cases = run
        else: judged = [c['name'] for c in cases]
        res = asyncio.run(run_all(cases, o.subject, o.j, tmp, o.keep))
        for c in cases:
            n = c['name']
            if not os.path.exists(epath(n)): rows.append((n, 'expected', 'recorded outcome', 'none')); continue
            rows += [(n, f, e, g) for f, e, g in diff(json.load(open(epath(n))), res[n], c)]
        if o.json: json.dump(res, open(o.json, 'w'), indent=1)
        if rows: table(rows)
        f = collections.Counter(r[0] for r in rows)
        if o.report: json.dump({**report, **{n: f[n] for n in judged}}, open(o.report, 'w'), indent=1)
        print(f'{len(judged) - len(f)} of {len(judged)} cases agree, {len(f)} differ, {len(report)} skipped'); return 1 if f else 0
    a.print_help(); return 2
sys.exit(main())
