#!/usr/bin/python3
"""A real Prometheus scrapes the metrics page; then every query of the stock dashboards and of Kiali that a plain node agent
can fill returns data.   usage: dashboards_test.py PAGE_PROGRAM"""
import re
import subprocess
import sys
import unittest
import urllib.request

import dashboards
from prometheus import Prometheus

PAGE_PROGRAM = None
GREETER = "greeter-service.default.svc.cluster.local"
DB = "db.default.svc.cluster.local"


class Page:
    """The synthetic page on a port of its own."""

    def __enter__(self):
        self.process = subprocess.Popen([PAGE_PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.target = f"127.0.0.1:{int(self.process.stdout.readline())}"
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def get(self, **headers):
        request = urllib.request.Request(f"http://{self.target}/metrics", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.headers, response.read()


class PageTest(unittest.TestCase):
    def test_promtool_objects_only_to_the_names_that_istio_gave(self):
        with Page() as page:
            _, body = page.get()
        check = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
        complaints = {line.split(" ")[0] for line in (check.stdout + check.stderr).decode().splitlines() if line}
        self.assertEqual(complaints, {"istio_request_duration_milliseconds"})


class ScrapeTest(unittest.TestCase):
    SCRAPES = 12
    WINDOW = "2s"

    @classmethod
    def setUpClass(cls):
        cls.page = cls.enterClassContext(Page())
        cls.prometheus = cls.enterClassContext(Prometheus(cls.page.target))
        cls.prometheus.wait_for_scrapes(cls.SCRAPES)

    def check(self, file_name, selections, expected):
        total, empty = dashboards.empty_queries(self.prometheus, file_name, selections, self.WINDOW)
        self.assertEqual(empty, [])
        self.assertEqual(total, expected)

    def test_target_is_up_and_takes_its_labels_from_us(self):
        target = self.prometheus.target()
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))
        self.assertEqual(target["labels"]["app"], "fairlead")
        rows = self.prometheus.query('istio_requests_total{reporter="source"}')
        self.assertEqual({row["metric"]["source_workload"] for row in rows}, {"helloweb", "batch"})

    def test_bounds_are_stored_as_prometheus_3_writes_them(self):
        bounds = {row["metric"]["le"] for row in self.prometheus.query("count by (le) (istio_request_bytes_bucket)")}
        self.assertLessEqual({"0.5", "1.0", "1000.0", "1.8e+06", "+Inf"}, bounds)
        self.assertEqual(len(bounds), 20)

    def test_refused_requests_are_found_by_app_code_and_flags(self):
        rows = self.prometheus.query(
            'sum(istio_requests_total{destination_app="greeter-service"}) by (response_code,response_flags)')
        found = {(row["metric"]["response_code"], row["metric"]["response_flags"]) for row in rows}
        self.assertLessEqual({("200", "-"), ("503", "UO"), ("504", "UT"), ("503", "UH"), ("503", "URX,UF")}, found)

    def test_mesh_dashboard(self):
        self.check("istio-mesh-dashboard.gen.json", [{}], 12)

    def test_service_dashboard(self):
        self.check("istio-service-dashboard.json", [{"service": host, "qrep": reporter} for host in (GREETER, DB)
                                                    for reporter in ("destination", "source")], 44)

    def test_workload_dashboard(self):
        self.check("istio-workload-dashboard.json",
                   [{"namespace": "default", "workload": workload, "qrep": "destination"}
                    for workload in ("greeter-service-v1", "db", "helloweb")], 39)

    def test_performance_dashboard(self):
        self.check("istio-performance-dashboard.json", [{}], 2)

    def test_kiali(self):
        total, empty = dashboards.empty_kiali_queries(self.prometheus, self.WINDOW)
        self.assertEqual(empty, [])
        self.assertGreaterEqual(total, 10)


if __name__ == "__main__":
    PAGE_PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
