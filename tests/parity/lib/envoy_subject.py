#!/usr/bin/env python3
"""The reference as an external command, to prove the SUBJECT_CMD path:
  SUBJECT_CMD='lib/envoy_subject.py {dir} {listen} {service_port} {vip} {log} {namespace} {labels} {passthrough}' parity.py --subject cmd"""
import glob, json, os, subprocess, sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import subject as S
d, listen, sp, vip, log, ns, labels = sys.argv[1:8]; thr = sys.argv[8] if len(sys.argv) > 8 else ''
docs = '\n---\n'.join(open(f).read() for f in sorted(glob.glob(d + '/*.yaml')))
req = [dict(ID='x', Yaml=docs, Namespace=ns, Labels=dict(x.split('=', 1) for x in labels.split(',') if x))]
x = json.loads(subprocess.run([os.environ.get('ISTIOGEN_BIN', 'istiogen')], input=json.dumps(req), capture_output=True, text=True).stdout)
if x.get('invalid') or x.get('error'): sys.exit('rejected: ' + json.dumps(x.get('invalid') or x.get('error')))
b = S.bootstrap(x, int(listen.split(':')[1]), int(sp), vip, log, S.free_port(), int(thr.split(':')[1]) if thr else None)
json.dump(b, open(d + '/../envoy.json', 'w'))
os.execvp(os.environ.get('ENVOY_BIN', 'envoy'), ['envoy', '-c', d + '/../envoy.json', '--concurrency', '1', '--disable-hot-restart', '--file-flush-interval-msec', '20', '-l', 'error'])
