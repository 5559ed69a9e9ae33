"""Plain block groups: numbered blocks, free ones in runs or kept as somebody's room; everything looked for anew."""


class Blocks(list):  # type: ignore[type-arg]
    """What somebody holds, in order, and the numbers kept behind the last of it."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)
        self.room: list[int] = []


class Groups:
    """Numbers 0 to `total` - 1. A new group has `least` of them, or what is asked for, and `extra` more."""

    def __init__(self, total: int, least: int, extra: int) -> None:
        self.least, self.extra = least, extra
        self.free = set(range(total))
        self.holders: list[Blocks] = []
        """Those with room."""

    def take(self, holder: Blocks, count: int) -> list[int]:
        assert count <= len(self.free)
        taken: list[int] = []
        while len(taken) < count:
            if not holder.room:
                self._new_group(holder, count - len(taken))
            taken.append(holder.room.pop(0))
            self.free.remove(taken[-1])
            self._note(holder)
        return taken

    def give(self, holder: Blocks, numbers: list[int]) -> None:
        """Its room is free for all, too."""
        self.free |= set(numbers)
        holder.room = []
        self._note(holder)

    def runs(self) -> list[list[int]]:
        kept = {number for holder in self.holders for number in holder.room}
        runs: list[list[int]] = []
        for number in sorted(self.free - kept):
            if runs and runs[-1][-1] == number - 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        return runs

    def _new_group(self, holder: Blocks, count: int) -> None:
        wanted = max(count, self.least) + self.extra
        runs = self.runs()
        if runs:
            enough = [run for run in runs if len(run) >= wanted]
            run = min(enough, key=lambda run: (len(run), run[0]), default=None)
            holder.room = (run or max(runs, key=lambda run: (len(run), -run[0])))[:wanted]
        else:
            other = max(self.holders, key=lambda other: (len(other.room), -other.room[0]))
            left = len(other.room) // 2
            other.room, holder.room = other.room[:left], other.room[left:]
            self._note(other)
        self._note(holder)

    def _note(self, holder: Blocks) -> None:
        self.holders = [other for other in self.holders if other is not holder and other.room]
        if holder.room:
            self.holders.append(holder)


def pieces(here: list[int], there: list[int]) -> int:
    """How many pieces a copy has: neighbours at both ends go together."""
    return sum(i == 0 or here[i - 1] + 1 != here[i] or there[i - 1] + 1 != there[i] for i in range(len(here)))
