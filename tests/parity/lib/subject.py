"""What is under test. envoy: Istio's own translation (istiogen) executed by a stock Envoy. cmd: any command, see README."""
import asyncio, json, os, re, shlex, signal, socket, subprocess

ISTIO_LOG = dict(authority='%REQ(:AUTHORITY)%', method='%REQ(:METHOD)%', path='%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%', protocol='%PROTOCOL%', response_code='%RESPONSE_CODE%',
    response_flags='%RESPONSE_FLAGS%', response_code_details='%RESPONSE_CODE_DETAILS%', connection_termination_details='%CONNECTION_TERMINATION_DETAILS%',
    upstream_transport_failure_reason='%UPSTREAM_TRANSPORT_FAILURE_REASON%', bytes_received='%BYTES_RECEIVED%', bytes_sent='%BYTES_SENT%', duration='%DURATION%',
    route_name='%ROUTE_NAME%', upstream_cluster='%UPSTREAM_CLUSTER%', upstream_host='%UPSTREAM_HOST%', attempts='%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
    request_id='%REQ(X-REQUEST-ID)%', start_time='%START_TIME%')
# pkg/bootstrap/config.go extractRuntimeFlags of the same Istio revision
RUNTIME = {'re2.max_program_size.error_level': '32768', 'envoy.reloadable_features.http_reject_path_with_fragment': False,
    'envoy.reloadable_features.fixed_heap_use_allocated': True, 'envoy.reloadable_features.coalesce_lb_rebuilds_on_batch_update': False}

NEXT = [21000 + os.getpid() % 40 * 200]
def free_port():
    """ports below the ephemeral range, never handed out twice in one run"""
    while True:
        NEXT[0] = NEXT[0] + 1 if NEXT[0] < 30900 else 21000
        s = socket.socket()
        try: s.bind(('127.0.0.1', NEXT[0])); return NEXT[0]
        except OSError: pass
        finally: s.close()

def scrub(x):
    """drop what needs Istio's own Envoy build or its control plane connection"""
    if isinstance(x, dict):
        for k in ('httpFilters', 'filters', 'listenerFilters'):
            if isinstance(x.get(k), list): x[k] = [f for f in x[k] if not (f.get('name', '').startswith('istio') or f.get('name') == 'envoy.filters.listener.original_dst')]
        if 'transportSocketMatches' in x:
            l = [m for m in x.pop('transportSocketMatches') if 'sds' not in json.dumps(m).lower()]
            if l and not (len(l) == 1 and 'raw_buffer' in json.dumps(l[0])): x['transportSocketMatches'] = l
        return {k: scrub(v) for k, v in x.items()}
    if isinstance(x, list): return [scrub(v) for v in x]
    return x

def bootstrap(x, port, svc_port, vip, log, admin, passthru=None):
    routes = {r['name']: r for r in x.get('routes') or []}; eds = {e['clusterName']: e for e in x.get('endpoints') or []}
    cand = [l for l in x['listeners'] if l['name'] in (f'0.0.0.0_{svc_port}', f'{vip}_{svc_port}')]
    if not cand: raise RuntimeError(f'no listener for port {svc_port}: ' + ', '.join(l['name'] for l in x['listeners']))
    l = scrub(cand[0]); l.pop('bindToPort', None); l.pop('additionalAddresses', None); l['address'] = {'socketAddress': {'address': '127.0.0.1', 'portValue': port}}
    alog = [{'name': 'f', 'typedConfig': {'@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog', 'path': log, 'logFormat': {'jsonFormat': ISTIO_LOG}}}]
    for fc in l.get('filterChains', []) + ([l['defaultFilterChain']] if 'defaultFilterChain' in l else []):
        for f in fc.get('filters', []):
            c = f.get('typedConfig', {})
            if 'rds' in c: c['routeConfig'] = scrub(routes[c.pop('rds')['routeConfigName']])
            if 'HttpConnectionManager' in c.get('@type', '') or 'TcpProxy' in c.get('@type', ''): c['accessLog'] = alog
    cl = []
    for c in x['clusters']:
        c = scrub(c)
        if c['name'] == 'InboundPassthroughCluster': continue
        if c['name'] == 'PassthroughCluster' and passthru:
            for k in ('type', 'lbPolicy'): c.pop(k, None)
            c.update(type='STATIC', lbPolicy='ROUND_ROBIN', loadAssignment={'clusterName': c['name'], 'endpoints': [{'lbEndpoints': [{'endpoint': {'address': {'socketAddress': {'address': '127.0.0.1', 'portValue': passthru}}}}]}]})
        if c.get('type') == 'EDS':
            c['type'] = 'STATIC'; n = c.pop('edsClusterConfig').get('serviceName', c['name'])
            la = dict(scrub(eds.get(n, {'clusterName': n}))); la['clusterName'] = c['name']; c['loadAssignment'] = la
        cl.append(c)
    return {'node': {'id': 'sidecar~127.0.0.1~client.default~default.svc.cluster.local', 'cluster': 'client.default', 'locality': {'region': 'r1', 'zone': 'z1', 'subZone': ''}},
        'admin': {'address': {'socketAddress': {'address': '127.0.0.1', 'portValue': admin}}}, 'layeredRuntime': {'layers': [{'name': 's', 'staticLayer': RUNTIME}, {'name': 'admin', 'adminLayer': {}}]},
        'staticResources': {'listeners': [l], 'clusters': cl}}

class Envoy:
    name = 'envoy'
    def __init__(self, case, d, docs, log): self.case, self.d, self.docs, self.log, self.p = case, d, docs, log, None
    async def start(self, port, svc_port, vip, passthru):
        gen = os.environ.get('ISTIOGEN_BIN', 'istiogen'); req = [dict(ID='x', Yaml=self.docs, Namespace=self.case.get('namespace', 'default'), Labels=self.case.get('labels', {'app': 'client'}), Mesh=self.case.get('mesh', ''), Locality=self.case.get('locality', ''))]
        g = await asyncio.create_subprocess_exec(gen, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=open(self.d + '/istiogen.log', 'w'))
        out, _ = await g.communicate(json.dumps(req).encode()); x = json.loads(out); json.dump(x, open(self.d + '/istio.json', 'w'), indent=1)
        self.warnings = x.get('warnings', [])
        if x.get('invalid'): return dict(rejected_by_istio=x['invalid'])
        if x.get('error'): return dict(error=x['error'][:2000])
        self.admin = free_port(); b = bootstrap(x, port, svc_port, vip, self.log, self.admin, passthru); json.dump(b, open(self.d + '/envoy.json', 'w'), indent=1)
        self.p = subprocess.Popen([os.environ.get('ENVOY_BIN', 'envoy'), '-c', self.d + '/envoy.json', '--concurrency', str(self.case.get('concurrency', 1)), '--disable-hot-restart', '--file-flush-interval-msec', '20', '-l', os.environ.get('ENVOY_LOG', 'warning'), '--drain-time-s', '1'],
            stdout=open(self.d + '/envoy.log', 'w'), stderr=subprocess.STDOUT)
        if not await wait_port(port, self.p, 15): return dict(error='envoy did not start: ' + open(self.d + '/envoy.log').read()[-1500:])
    async def stop(self): await stop(self.p)

class Cmd:
    name = 'cmd'; warnings = []
    def __init__(self, case, d, docs, log): self.case, self.d, self.log, self.p = case, d, log, None; os.makedirs(d + '/policies'); open(d + '/policies/case.yaml', 'w').write(docs)
    async def start(self, port, svc_port, vip, passthru):
        v = dict(dir=self.d + '/policies', listen=f'127.0.0.1:{port}', port=str(port), service_port=str(svc_port), vip=vip, log=self.log, namespace=self.case.get('namespace', 'default'),
            labels=','.join(f'{a}={b}' for a, b in self.case.get('labels', {'app': 'client'}).items()), passthrough=f'127.0.0.1:{passthru}' if passthru else '', mesh=self.case.get('mesh', ''), locality=self.case.get('locality', ''), concurrency=str(self.case.get('concurrency', 1)))
        cmd = os.environ['SUBJECT_CMD']
        for a, b in v.items(): cmd = cmd.replace('{' + a + '}', b)
        self.p = subprocess.Popen(shlex.split(cmd), stdout=open(self.d + '/subject.log', 'w'), stderr=subprocess.STDOUT, env=dict(os.environ, **{'PARITY_' + a.upper(): b for a, b in v.items()}), start_new_session=True)
        if os.environ.get('SUBJECT_TARGET') == 'vip': await asyncio.sleep(float(os.environ.get('SUBJECT_WAIT', '1.5'))); ok = self.p.poll() is None
        else: ok = await wait_port(port, self.p, 15)
        if not ok: return dict(error='subject did not start: ' + open(self.d + '/subject.log').read()[-1500:])
    async def stop(self): await stop(self.p)

async def wait_port(port, p, secs):
    for _ in range(int(secs * 50)):
        if p.poll() is not None: return False
        try: r, w = await asyncio.open_connection('127.0.0.1', port); w.close(); return True
        except OSError: await asyncio.sleep(0.02)
    return False

async def stop(p):
    if p and p.poll() is None:
        p.terminate()
        for _ in range(100):
            if p.poll() is not None: return
            await asyncio.sleep(0.02)
        p.kill(); p.wait()
