"""Answers by pandas, NumPy, SciPy and statsmodels: one function per kind.

Each takes the statistic (a table of the study file), the records of one cell that have a value in
all of its columns (a pandas frame: numbers as doubles, booleans as bool, categories as text), and
the study's columns by name. None: there is no such number.
"""

import decimal

import numpy as np
import pandas as pd
import scipy.stats
import statsmodels.api as sm


def count(statistic, records, columns):
    return len(records)


def total(statistic, records, columns):
    return number(records[statistic["of"]].sum(), columns[statistic["of"]])


def mean(statistic, records, columns):
    return defined(records[statistic["of"]].mean())


def variance(statistic, records, columns):
    return defined(records[statistic["of"]].var(ddof=1))


def stddev(statistic, records, columns):
    return defined(records[statistic["of"]].std(ddof=1))


def smallest(statistic, records, columns):
    return number(records[statistic["of"]].min(), columns[statistic["of"]])


def largest(statistic, records, columns):
    return number(records[statistic["of"]].max(), columns[statistic["of"]])


def mode(statistic, records, columns):
    labels = columns[statistic["of"]]["values"]
    values = pd.Categorical(records[statistic["of"]], categories=labels)
    counts = pd.Series(values).value_counts(sort=False).reindex(labels)
    return counts.idxmax() if len(records) else None


def edges(statistic, column):
    """Where the bins begin, and where the last one ends, as exact decimals."""
    if "bins" in statistic:
        return [decimal.Decimal(edge) for edge in statistic["bins"]]
    low, high, width = (
        decimal.Decimal(x) for x in (column["min"], column["max"], statistic["width"])
    )
    found = [low]
    while found[-1] + width < high:
        found.append(found[-1] + width)
    return [*found, high]


def histogram(statistic, records, columns):
    column = columns[statistic["of"]]
    bins = edges(statistic, column)
    counts, _ = np.histogram(records[statistic["of"]], bins=[float(edge) for edge in bins])
    plain = [int(edge) if edge == int(edge) else float(edge) for edge in bins]
    return {"edges": plain, "counts": [int(count) for count in counts]}


def quantile(statistic, records, columns):
    column = columns[statistic["of"]]
    values = records[statistic["of"]].to_numpy()
    answers = {}
    for q in statistic["q"]:
        value = np.quantile(values, float(q), method="inverted_cdf")
        answers[str(q)] = number(value, column)
        if "width" in statistic:
            answers[str(q)] = bin_of(value, statistic, column)
    return answers


def bin_of(value, statistic, column):
    """The smallest and the largest value that the column can have in a value's bin."""
    bins = edges(statistic, column)
    place = int(np.digitize(value, [float(edge) for edge in bins[1:-1]]))
    step = decimal.Decimal(1).scaleb(-column.get("decimals", 0))
    last = place == len(bins) - 2
    end = bins[place + 1] if last else bins[place + 1] - step
    return {"from": number(bins[place], column), "to": number(end, column)}


def crosstab(statistic, records, columns):
    row, column = statistic["of"]
    labels = [columns[name]["values"] for name in (row, column)]
    table = pd.crosstab(records[row], records[column])
    table = table.reindex(index=labels[0], columns=labels[1], fill_value=0).to_numpy()
    tested = table[table.any(axis=1)][:, table.any(axis=0)]
    test = scipy.stats.chi2_contingency(tested, correction=False)
    return {
        "rows": labels[0],
        "columns": labels[1],
        "counts": table.tolist(),
        "chi2": float(test.statistic),
        "dof": int(test.dof),
        "p": float(test.pvalue),
    }


def covariance(statistic, records, columns):
    a, b = statistic["of"]
    return defined(records[a].cov(records[b], ddof=1))


def correlation(statistic, records, columns):
    if len(records) < 2:
        return None
    a, b = (records[name].to_numpy() for name in statistic["of"])
    return defined(scipy.stats.pearsonr(a, b).statistic)


def terms(name, records, columns):
    """What a part of `x` stands for: the name of each coefficient and its variable."""
    if ":" in name:
        left, right = (terms(part, records, columns) for part in name.split(":"))
        return [(f"{a}:{b}", x * y) for a, x in left for b, y in right]
    if columns[name]["type"] != "category":
        return [(name, records[name].astype(float))]
    dummies = pd.get_dummies(pd.Categorical(records[name], categories=columns[name]["values"]))
    dummies.index = records.index
    others = columns[name]["values"][1:]
    return [(f"{name}[{label}]", dummies[label].astype(float)) for label in others]


def regression(statistic, records, columns):
    design = [("intercept", pd.Series(1.0, index=records.index))]
    for name in statistic["x"]:
        design += terms(name, records, columns)
    names = [name for name, _ in design]
    x = np.column_stack([values for _, values in design])
    # A QR decomposition of the design itself: the normal equations would square its condition.
    fit = sm.OLS(records[statistic["y"]].to_numpy(), x).fit(method="qr")
    by_name = lambda values: dict(zip(names, map(float, values), strict=True))
    return {
        "coefficients": by_name(fit.params),
        "std_errors": by_name(fit.bse),
        "t": by_name(fit.tvalues),
        "p": by_name(fit.pvalues),
        "r2": float(fit.rsquared),
        "n": int(fit.nobs),
    }


def sides(statistic, records, columns):
    """The two sides of a test: their labels and their values."""
    between = columns[statistic["between"]]
    keys = between.get("values", [False, True])
    of, by = records[statistic["of"]], records[statistic["between"]]
    labels = [str(key).lower() if isinstance(key, bool) else key for key in keys]
    return labels, [of[by == key].to_numpy() for key in keys]


def ttest(statistic, records, columns):
    labels, (a, b) = sides(statistic, records, columns)
    test = scipy.stats.ttest_ind(a, b, equal_var=False)
    interval = test.confidence_interval(0.95)
    return {
        "sides": labels,
        "means": [float(a.mean()), float(b.mean())],
        "difference": float(a.mean() - b.mean()),
        "t": float(test.statistic),
        "dof": float(test.df),
        "p": float(test.pvalue),
        "ci95": [float(interval.low), float(interval.high)],
    }


def anova(statistic, records, columns):
    _, groups = sides(statistic, records, columns)
    groups = [group for group in groups if len(group)]
    test = scipy.stats.f_oneway(*groups)
    between, within = len(groups) - 1, len(records) - len(groups)
    return {"f": float(test.statistic), "dof": [between, within], "p": float(test.pvalue)}


def fairness(statistic, records, columns):
    outcome, group, label = statistic["outcome"], statistic["group"], statistic.get("label")
    groups = {}
    for name in columns[group]["values"]:
        own = records[records[group] == name]
        found = {"n": len(own), "selection_rate": defined(own[outcome].mean())}
        if label:
            found["tpr"] = defined(own[own[label]][outcome].mean())
            found["fpr"] = defined(own[~own[label]][outcome].mean())
        groups[name] = found
    rates = [found["selection_rate"] for found in groups.values()]
    answer = {
        "groups": groups,
        "demographic_parity_difference": max(rates) - min(rates),
        "disparate_impact_ratio": min(rates) / max(rates),
    }
    if label:
        tprs = [found["tpr"] for found in groups.values()]
        answer["equal_opportunity_difference"] = max(tprs) - min(tprs)
    return answer


def defined(value):
    """A plain number, or none for NaN."""
    return None if np.isnan(value) else float(value)


def number(value, column):
    """A value in the type of its column."""
    value = float(value)
    if np.isnan(value):
        return None
    return value if column["type"] == "decimal" else int(value)


KINDS = {
    "count": count,
    "sum": total,
    "mean": mean,
    "share": mean,
    "variance": variance,
    "stddev": stddev,
    "histogram": histogram,
    "quantile": quantile,
    "min": smallest,
    "max": largest,
    "mode": mode,
    "crosstab": crosstab,
    "covariance": covariance,
    "correlation": correlation,
    "regression": regression,
    "ttest": ttest,
    "anova": anova,
    "fairness": fairness,
}
