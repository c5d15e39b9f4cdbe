"""The admin key of the containers is made once, private, and only its digest stands in what compose reads."""

import hashlib
import shutil
import stat
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "deploy" / "compose-init.sh"


def test_the_key_is_made_once_and_other_variables_stay(tmp_path: Path) -> None:
    script = tmp_path / "deploy" / SCRIPT.name
    script.parent.mkdir()
    shutil.copy(SCRIPT, script)
    environment, key = tmp_path / ".env", tmp_path / "var" / "compose" / "admin-key"
    environment.write_text("OTHER=1\n", encoding="ascii")
    made = []
    for _ in range(2):
        subprocess.run([script], check=True, capture_output=True, timeout=30)
        made.append(key.read_text(encoding="ascii"))
    assert made[0] == made[1]
    # 256 random bits (base64 without padding).
    assert len(made[0].strip()) == len("bb_") + 43
    digest = hashlib.sha256(made[0].strip().encode()).hexdigest()
    assert environment.read_text(encoding="ascii").splitlines() == ["OTHER=1", f"BOWERBIRD_ADMIN_KEY_SHA256={digest}"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
