"""The stock dashboards as a test: their variables resolved and their queries run, as Grafana would."""
import json
import math
import os
import re

ANCHORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "anchors")
TITLES = {"istio-mesh-dashboard.gen.json": "Istio Mesh Dashboard",
          "istio-service-dashboard.json": "Istio Service Dashboard",
          "istio-workload-dashboard.json": "Istio Workload Dashboard",
          "istio-performance-dashboard.json": "Istio Performance Dashboard"}


def fold(expression):
    return " ".join(expression.split())


def needs():
    """{(dashboard title, folded expression): need} of all panel queries; see the head of the file for the words."""
    result = {}
    with open(os.path.join(ANCHORS, "istio-dashboard-queries.txt"), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                dashboard, kind, need, *_, expression = line.rstrip("\n").split("\t")
                if kind == "panel":
                    result[dashboard, fold(expression)] = need
    return result


def has_data(result):
    return any(not math.isnan(float(sample["value"][1])) for sample in result)


class Dashboard:
    def __init__(self, file_name):
        self.title = TITLES[file_name]
        with open(os.path.join(ANCHORS, "dashboards", file_name), encoding="utf-8") as file:
            self.document = json.load(file)

    def queries(self):
        """(panel title, expression) of every panel, rows opened."""
        panels = list(self.document["panels"])
        while panels:
            panel = panels.pop(0)
            panels[:0] = panel.get("panels", [])
            for target in panel.get("targets", []):
                if "expr" in target:
                    yield panel.get("title", ""), target["expr"]

    def variables(self, prometheus, chosen):
        """{name: text to put in}: `chosen` where given, else all values found, as Grafana writes them for a regular
        expression."""
        values = {}
        for variable in self.document["templating"]["list"]:
            name = variable["name"]
            if name in chosen:
                values[name] = chosen[name]
            elif variable["type"] == "query":
                query = variable["query"]
                found = variable_values(prometheus, substitute(query["query"] if isinstance(query, dict) else query, values),
                                        variable.get("regex", ""))
                # One that only receives has no destinations: then the variable is empty, in Grafana too.
                values[name] = "(" + "|".join(map(re.escape, found)) + ")" if len(found) != 1 else found[0]
        return values


def variable_values(prometheus, query, regex):
    """What Grafana offers for query_result(...): each sample as text, cut down by the variable's regex."""
    expression = re.fullmatch(r"\s*query_result\((.*)\)\s*", query, re.S).group(1)
    pattern = re.compile(regex.strip("/")) if regex else None
    found = set()
    for sample in prometheus.query(expression):
        metric = dict(sample["metric"])
        name = metric.pop("__name__", "")
        labels = ",".join(f'{key}="{value}"' for key, value in sorted(metric.items()))
        text = f"{name}{{{labels}}} {sample['value'][1]} {int(sample['value'][0] * 1000)}"
        match = pattern.search(text) if pattern else None
        if pattern and not match:
            continue
        found.add(match.group(1) if match and match.groups() else text)
    return sorted(found)


def substitute(expression, values):
    for name in sorted(values, key=len, reverse=True):
        # Inside a PromQL string a backslash of a regular expression is written twice.
        text = values[name].replace("\\", "\\\\")
        expression = expression.replace("${" + name + "}", text)
        expression = re.sub(r"\$" + name + r"\b", lambda _, text=text: text, expression)
    return expression


def without_default(expression):
    """`or vector(0)` makes a panel show 0 where there is nothing: a test has to see the nothing."""
    return re.sub(r"\bor\s+vector\(0\)", "", expression)


def empty_queries(prometheus, file_name, selections, rate_interval, is_expected=lambda expression: True):
    """Runs every query that a plain node agent can fill, with each selection of variables. Returns (number of queries,
    [(panel, expression)] of those that no selection filled)."""
    dashboard = Dashboard(file_name)
    need = needs()
    pending = {}
    for panel, expression in dashboard.queries():
        if need[dashboard.title, fold(expression)] == "data" and is_expected(expression):
            pending[fold(expression)] = panel
    total = len(pending)
    for chosen in selections:
        values = dashboard.variables(prometheus, chosen)
        values["__rate_interval"] = rate_interval
        for expression in list(pending):
            if has_data(prometheus.query(without_default(substitute(expression, values)))):
                del pending[expression]
    return total, [(panel, expression) for expression, panel in pending.items()]


def empty_kiali_queries(prometheus, window):
    """The same for what Kiali's views ask."""
    total, empty = 0, []
    with open(os.path.join(ANCHORS, "kiali-graph-queries.txt"), encoding="utf-8") as file:
        for line in file:
            if line.startswith("#"):
                continue
            view, _, expression = line.rstrip("\n").split("\t")
            total += 1
            # In the file a backslash is written as Kiali's query string has it.
            if not has_data(prometheus.query(re.sub(r"\[60s\]", f"[{window}]", expression))):
                empty.append((view, expression))
    return total, empty
