"""The tails of the chi-square, F and t distributions, to 60 digits less a few, by mpmath."""

import fractions

import mpmath

Fraction = fractions.Fraction
mpmath.mp.dps = 60


def real(value):
    """A fraction as a number of 60 digits."""
    value = Fraction(value)
    return mpmath.mpf(value.numerator) / value.denominator


def chi2_tail(x, dof):
    return mpmath.gammainc(mpmath.mpf(dof) / 2, real(x) / 2, regularized=True)


def f_tail(f, between, within):
    """The upper tail of F: a regularized incomplete beta function."""
    return beta(
        mpmath.mpf(within) / 2, mpmath.mpf(between) / 2, real(within / (within + between * f))
    )


def t_tails(squared, dof):
    """Both tails of t beyond ±√squared."""
    return beta(real(dof) / 2, mpmath.mpf(1) / 2, real(dof / (dof + squared)))


def t_quantile(dof):
    """Where both tails of t together hold 5 %."""
    excess = lambda t: t_tails(Fraction(*(t * t).as_integer_ratio()), dof) - mpmath.mpf(5) / 100
    return mpmath.findroot(excess, (mpmath.mpf(2), mpmath.mpf(3)), solver="anderson", tol=1e-20)


def beta(a, b, x):
    """The regularized incomplete beta function I_x(a, b): the continued fraction DLMF 8.17.22, from
    its first convergents on, until they no longer change."""
    if x > (a + 1) / (a + b + 2):
        return 1 - beta(b, a, 1 - x)
    above, below = (mpmath.mpf(1), mpmath.mpf(0)), (mpmath.mpf(1), mpmath.mpf(1))
    value, step = mpmath.mpf(0), 0
    while abs(above[0] / below[0] - value) > mpmath.eps * 16 * abs(value):
        value = above[0] / below[0]
        for _ in range(2):
            step += 1
            m = step // 2
            if step % 2:
                d = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
            else:
                d = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
            above = (above[0] + d * above[1], above[0])
            below = (below[0] + d * below[1], below[0])
    logs = mpmath.loggamma(a + b) - mpmath.loggamma(a) - mpmath.loggamma(b)
    front = mpmath.exp(logs + a * mpmath.log(x) + b * mpmath.log(1 - x)) / a
    return front * value
