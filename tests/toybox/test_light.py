import math

import pytest

from piva.toybox.light import COLORED, HOURS, LATITUDE_DEG, LIGHTS, OPTICAL_DEPTH, light_at, sun_at


def test_the_sun_goes_as_on_an_equinox():
    assert sun_at(0.0) == pytest.approx((0.0, 90.0 - LATITUDE_DEG))
    assert sun_at(6.0) == pytest.approx((90.0, 0.0), abs=1e-9)  # it sets due west
    azimuth, elevation = sun_at(HOURS)
    assert elevation == pytest.approx(18.15, abs=0.01)
    # where the sun stands, turned into the frame of its own circle, is the hour angle: 15 degrees an hour
    west = math.sin(math.radians(azimuth)) * math.cos(math.radians(elevation))
    assert west == pytest.approx(math.sin(math.radians(15 * HOURS)))


def test_an_afternoon_begins_as_day_and_reddens():
    assert light_at(0.0) == LIGHTS["day"]
    lights = [light_at(HOURS * k / 4) for k in range(5)]
    for channel, depth in enumerate(OPTICAL_DEPTH):
        way = 1 / math.sin(math.radians(sun_at(HOURS)[1])) - 1 / math.sin(math.radians(50.0))
        assert math.log(lights[0].sun[channel] / lights[4].sun[channel]) == pytest.approx(depth * way)
    redness = [light.sun[0] / light.sun[2] for light in lights]
    assert redness == sorted(redness)
    assert redness[4] > 1.5 * redness[0]
    skies = zip(LIGHTS["day"].horizon, LIGHTS["sunset"].horizon, lights[4].horizon, strict=True)
    assert all(min(day, dusk) < late < max(day, dusk) for day, dusk, late in skies)


def test_coloured_light_is_coloured():
    for light in COLORED.values():
        assert max(light.sun) > 1.5 * min(light.sun)
