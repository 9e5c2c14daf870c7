from piva.commands.score_lines import print_scores


def test_scores_that_there_are_stand_below_each_other(capsys):
    print_scores({"lpips": 0.12345, "psnr": None, "clip_text": 0.25}, ("clip_text", "lpips", "psnr"))
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == ["clip_text", "25.00"]
    assert second.split()[:2] == ["lpips", "123.5"]
    assert first.index("25.00") + 5 == second.index("123.5") + 5
