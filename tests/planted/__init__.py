"""Bugs that this kind of program has had elsewhere, planted into the real code one at a time: a
law that catches none of them is not a law.

Each is a change of source text. The text must be there exactly once, so a bug whose place has moved fails
loudly and is planted anew. `python -m tests.planted` plants all of them, prints which law catches each and
first in which seed, and `--write` puts that into docs/testing.md.
"""

from typing import NamedTuple


class Bug(NamedTuple):
    """`changes`: (old text, new text) in one module."""

    name: str
    module: str
    changes: tuple[tuple[str, str], ...]


def _bug(name: str, module: str, *texts: str) -> Bug:
    return Bug(name, module, tuple(zip(texts[::2], texts[1::2], strict=True)))


BUGS = (
    _bug(
        "the checkpoint is committed before its outputs",
        "streams.runtime.partition_agent",
        "await self.session.commit(batch)",
        "await self.session.commit(Batch((), (), batch.checkpoint)); await self.session.commit(batch)",
    ),
    _bug(
        "the checkpoint is written after the transaction",
        "streams.log.memory",
        'self._stored.checkpoint = batch.checkpoint\n        self._faults("commit.after")',
        'self._faults("commit.after")\n        self._stored.checkpoint = batch.checkpoint',
    ),
    _bug(
        "half of a transaction can be seen",
        "streams.log.memory",
        """        for topic, outputs in groups.items():
            for output in outputs:
""",
        """        for topic, outputs in groups.items():
            for output in outputs:
                self._faults("commit.write")
""",
        '            self._faults("commit.write")\n        for topic',
        "            pass\n        for topic",
    ),
    _bug(
        "two agents work on one partition",
        "streams.log.memory",
        "if self._epoch != self._stored.epoch:",
        "if False:",
    ),
    _bug(
        "a moment is taken for entered first if it is the furthest",
        "streams.core.journeys.steps",
        "not s.been_in >> to_moment & 1",
        "to_moment > furthest_before",
    ),
    _bug(
        "a journey counts in a moment as often as it enters it",
        "streams.core.funnels.cells",
        "[t.furthest], t.first_entry",
        "[t.furthest], kind <= CONVERTED",
    ),
    _bug(
        "duplicates are not looked for",
        "streams.core.journeys.folding",
        "found = find_event(journal, signal.ref, start)",
        "found = -1",
    ),
    _bug(
        "the larger copy of an event stays",
        "streams.core.journeys.folding",
        "if not sorts_before(",
        "if sorts_before(",
    ),
    _bug(
        "the newest signal is taken for a later one after a restart",
        "streams.core.journeys.store",
        "p.newest_head = newest_head_of(journal, p.base_end)",
        "p.newest_head = newest_head_of(journal, p.base_end) + 1",
    ),
    _bug(
        "what was redriven is not known any more after a restart",
        "streams.core.processing.processor",
        "self.redriven.fates = found.redriven",
        "pass",
    ),
    _bug(
        "a redriven item is remembered in the batch after the one in which it counts",
        "streams.core.processing.redriving",
        "        drained = self.receipts, self.changed\n        self.receipts, self.changed = [], []",
        "        self.written = getattr(self, 'written', [])\n"
        "        drained = self.receipts, self.written\n"
        "        self.written, self.receipts, self.changed = self.changed, [], []",
    ),
    _bug(
        "a restart forgets that items were redriven to somebody",
        "streams.core.journeys.store",
        "        redriving=head.redriving,\n        saved",
        "        saved",
    ),
    _bug(
        "a redriven item that is refused is remembered as taken",
        "streams.core.processing.redriving",
        "if isinstance(taken, int) or taken.outcome != FINAL:",
        "if True:",
    ),
    _bug(
        "a redriven item counts for its person, whatever is final",
        "streams.core.journeys.redriving",
        "if is_behind_final(p, signal, copies, final_ms, time, population.patience):",
        "if False:",
    ),
    _bug(
        "the receipt of a redriven item has the counters of the one before it, too",
        "streams.core.processing.redriving",
        "before, windows.delta = windows.delta, {}",
        "before = windows.delta",
    ),
    _bug(
        "a redriven item moves the watermark",
        "streams.core.processing.redriving",
        "        taken = take_signal(processor, message, item, read)",
        "        taken = take_signal(processor, message, item, read)\n"
        "        processor.population.watermark_ms = max(\n"
        "            processor.population.watermark_ms, read.signal.head >> 20\n"
        "        )",
    ),
    _bug(
        "timers are lost at a restart",
        "streams.core.journeys.population",
        "self.profiles.put(p)\n        self._timers = self.profiles.armed()",
        "self.profiles.put(p)\n        self._timers = []",
    ),
    _bug(
        "a timer that goes off early is not set again",
        "streams.core.journeys.population",
        "            self._arm(p)\n        self.timers_fired_ms = max",
        "        self.timers_fired_ms = max",
    ),
    _bug(
        "a retraction is forgotten",
        "streams.core.journeys.folding",
        "change.retracted += [t for t in reversed(no_longer) if t.kind != WITHDRAWN]",
        "pass",
    ),
    _bug(
        "assertions are published before the retractions that they replace",
        "streams.core.processing.publishing",
        """        for t in changed.retracted:
            if t.kind == CUE:
                cues.append(CueChange(p, key, "retract", t, NO_HEADERS, other))
                continue
            partition.open.retracted += 1
            moved[p.key] = p, key  # a cue moves nobody
            count_transition(t, -1, delta)
            count_move(t, -1, moves)
            if t.kind not in UNMATCHED:
                rev += 1
                outputs.append(Output(_TRANSITIONS, key, transition(p, "retract", rev, t)))
        for t in changed.asserted:
            is_at_hand = bool(headers) and t.caused_by == caused_by and t.rule >= 0
            where = headers if is_at_hand else _headers_of(p, t, partition.checkpoint.read_from)
            if t.kind == CUE:
                cues.append(CueChange(p, key, "assert", t, where, other))
                continue
            moved[p.key] = p, key
            count_transition(t, 1, delta)
            count_move(t, 1, moves)
            if t.kind not in UNMATCHED:  # what found no purchase is counted, not published
                rev += 1
                outputs.append(Output(_TRANSITIONS, key, transition(p, "assert", rev, t), where))
""",
        """        for t in changed.asserted:
            is_at_hand = bool(headers) and t.caused_by == caused_by and t.rule >= 0
            where = headers if is_at_hand else _headers_of(p, t, partition.checkpoint.read_from)
            if t.kind == CUE:
                cues.append(CueChange(p, key, "assert", t, where, other))
                continue
            moved[p.key] = p, key
            count_transition(t, 1, delta)
            count_move(t, 1, moves)
            if t.kind not in UNMATCHED:  # what found no purchase is counted, not published
                rev += 1
                outputs.append(Output(_TRANSITIONS, key, transition(p, "assert", rev, t), where))
        for t in changed.retracted:
            if t.kind == CUE:
                cues.append(CueChange(p, key, "retract", t, NO_HEADERS, other))
                continue
            partition.open.retracted += 1
            moved[p.key] = p, key  # a cue moves nobody
            count_transition(t, -1, delta)
            count_move(t, -1, moves)
            if t.kind not in UNMATCHED:
                rev += 1
                outputs.append(Output(_TRANSITIONS, key, transition(p, "retract", rev, t)))
""",
    ),
    _bug(
        "a counter is not taken back",
        "streams.core.processing.publishing",
        "count_transition(t, -1, delta)",
        "pass",
    ),
    _bug(
        "a business figure is not taken back",
        "streams.core.funnels.windows",
        "self.figures.add(changes.items())",
        "self.figures.add([change for change in changes.items() if change[1] > 0])",
    ),
    _bug(
        "business figures begin anew at a restart",
        "streams.core.funnels.windows",
        "if window == ALL_TIME:\n            self.figures.add([",
        "if False:\n            self.figures.add([",
    ),
    _bug(
        "a counter that falls to zero is not published",
        "streams.core.funnels.windows",
        "changed.append(((window, start, what), n))",
        "changed.append(((window, start, what), n or None))",
    ),
    _bug(
        "a zero is not kept in the state",
        "streams.core.funnels.windows",
        "counts[in_group] = n",
        "counts[in_group] = n; n or counts.pop(in_group)",
    ),
    _bug(
        "a counter's rev does not grow with the batch",
        "streams.core.processing.processor",
        "self.checkpoint.batches += 1",
        "self.checkpoint.batches = 1",
    ),
    _bug(
        "a counter's rev begins anew at a restart",
        "streams.core.processing.processor",
        "self.checkpoint = checkpoint\n",
        "self.checkpoint = checkpoint; checkpoint.batches = 0\n",
    ),
    _bug(
        "cohorts have no minutes",
        "streams.core.funnels.cells",
        "(t.opened_ms // MINUTE_MS << START_SHIFT)",
        "(t.opened_ms // MINUTE_MS // 60 * 60 << START_SHIFT)",
    ),
    _bug(
        "the current record is not written after a retraction",
        "streams.core.processing.publishing",
        "        p = changed.profile\n",
        "        p, moved = changed.profile, {} if changed.retracted else partition.open.moved\n",
    ),
    _bug(
        "the key of a record has u: or d: before the id",
        "streams.core.processing.record_keys",
        'f"{tenant}{separator}{profile[2:]}".encode()',
        "key.encode()",
    ),
    _bug(
        "the key of a record leaves the tenant out",
        "streams.core.processing.record_keys",
        'f"{tenant}{separator}{profile[2:]}".encode()',
        "profile[2:].encode()",
    ),
    _bug(
        "another hash than that of Java clients chooses the partition",
        "streams.core.ingest.partition",
        "h = (h ^ h >> 13) * MULTIPLIER & MASK",
        "h = (h ^ h >> 14) * MULTIPLIER & MASK",
    ),
    _bug(
        "devices are in the topic of users",
        "streams.core.processing.record_keys",
        "return key[key.find(SEPARATOR) + 1] == _DEVICE",
        "return False",
    ),
    _bug(
        "a need that is closed is missing in the current record",
        "streams.core.processing.publisher",
        "for s in states if s.journey]",
        "for s in states if s.moment >= 0]",
    ),
    _bug(
        "the needs of a current record are in the order in which they came up",
        "streams.core.processing.publisher",
        "sorted(states, key=lambda s: p.needs[s.need])",
        "states",
    ),
    _bug(
        "a current record has the dimensions of another need's opening",
        "streams.core.processing.publisher",
        "self._need_now(p, s)",
        "self._need_now(p, msgspec.structs.replace(s, opened_dims=p.states[0].opened_dims))",
    ),
    _bug(
        "a current record is written for each change and not once in a batch",
        "streams.core.processing.publishing",
        "moved[p.key] = p, key\n            count_transition(t, 1, delta)",
        "moved[p.key, len(moved)] = p, key\n            count_transition(t, 1, delta)",
    ),
    _bug(
        "somebody who is forgotten has a current record in the same batch",
        "streams.core.processing.open_batch",
        "_, record_key = self.moved.pop(p.key, (p, person_key(p.key)))",
        "record_key = person_key(p.key)",
    ),
    _bug(
        "somebody whose last journey is over has a tombstone",
        "streams.core.processing.open_batch",
        "is_known = p.states or user is not None",
        "is_known = any(s.moment >= 0 for s in p.states) or user is not None",
    ),
    _bug(
        "people who are forgotten without a journey have no tombstone",
        "streams.core.processing.open_batch",
        "outputs.append(_current(publisher, _nobody(p.key), record_key, rev, devices))",
        "if any(s.journey for s in p.states):\n"
        "                outputs.append(_current(publisher, _nobody(p.key), record_key, rev, devices))",
    ),
    _bug(
        "the headers of a transition name the next record",
        "streams.core.processing.source_headers",
        "item.offset",
        "(item.offset + 1)",
    ),
    _bug(
        "a step that comes out of a fold again has the headers of the event that changed the fold",
        "streams.core.processing.publishing",
        "bool(headers) and t.caused_by == caused_by and t.rule >= 0",
        "bool(headers) and t.rule >= 0",
    ),
    _bug(
        "a step of silence has the headers of the event that revealed it",
        "streams.core.processing.publishing",
        "bool(headers) and t.caused_by == caused_by and t.rule >= 0",
        "bool(headers) and t.caused_by == caused_by",
    ),
    _bug(
        "robots count as people do",
        "streams.core.ingest.apart",
        "if self._robots is None:",
        "if True:",
    ),
    _bug(
        "nobody looks whether a person has refused",
        "streams.core.ingest.apart",
        "if self._consent.is_refused_by(context):",
        "if False:",
    ),
    _bug(
        "what is counted apart is counted as without a signal",
        "streams.core.processing.processor",
        "counts.count_apart(event.apart)",
        "counts.no_signal += 1",
    ),
    _bug(
        "what is counted apart moves no watermark",
        "streams.core.processing.processor",
        "if at_ms > reached_ms:",
        "if event.apart is None and at_ms > reached_ms:",
    ),
    _bug(
        "rev begins anew at a restart",
        "streams.core.processing.processor",
        "self.checkpoint = checkpoint\n",
        "self.checkpoint = checkpoint; checkpoint.rev = 0\n",
    ),
    _bug(
        "a batch that moves no watermark is not committed",
        "streams.runtime.partition_agent",
        "written = bool(count) or checkpoint or",
        "written = checkpoint or",
    ),
    _bug(
        "a partition that has nothing to do commits again and again",
        "streams.runtime.partition_agent",
        "written = bool(count) or checkpoint or",
        "written = True or checkpoint or",
    ),
    _bug(
        "a record that can't be read stops the worker",
        "streams.core.ingest.formats.segment",
        "_UNREADABLE = (msgspec.MsgspecError, ValueError, ",
        "_UNREADABLE = (",
    ),
    _bug(
        "a record is skipped after each batch",
        "streams.core.processing.processor",
        "position.offset = records[-1].offset + 1",
        "position.offset = records[-1].offset + 2",
    ),
    _bug(
        "the last record of a batch is read again, for ever",
        "streams.core.processing.processor",
        "position.offset = records[-1].offset + 1",
        "position.offset = records[-1].offset",
    ),
    _bug(
        "an event from the future is let in",
        "streams.core.processing.items",
        "record.time_ms + skew_ms if 0 <= record.time_ms < latest_ms else limit_ms",
        "LATEST_MS",
    ),
    _bug(
        "the watermark runs ahead of the events",
        "streams.core.processing.processor",
        "reached_ms = at_ms\n",
        "reached_ms = at_ms + 1\n",
    ),
    _bug(
        "the wall clock moves the watermark",
        "streams.core.processing.processor",
        "            until_ms = clock_ms\n",
        "            until_ms = population.watermark_ms = clock_ms\n",
    ),
    _bug(
        "lateness is measured from the wall clock",
        "streams.core.processing.processor",
        "if at_ms < watermark_ms - lateness_ms:",
        "if at_ms < record.time_ms - lateness_ms:",
    ),
    _bug(
        "how far timers have fired is not kept",
        "streams.core.processing.processor",
        "c.watermark_ms, c.timers_fired_ms = population.watermark_ms, population.timers_fired_ms",
        "c.watermark_ms, c.timers_fired_ms = population.watermark_ms, population.watermark_ms - 1",
    ),
    _bug(
        "a segment of state that changed is not written again",
        "streams.core.journeys.store",
        "for n in range(p.saved // SEGMENT, full):",
        "for n in range(p.sealed, full):",
    ),
    _bug(
        "a segment of state that is gone stays in the state topic",
        "streams.core.journeys.store",
        "for n in range(full, p.sealed)]",
        "for n in ()]",
    ),
    _bug(
        "changed fold settings are accepted",
        "streams.runtime.partition_agent",
        "if difference := fold.difference(last.fold):",
        "if False and (difference := fold.difference(last.fold)):",
    ),
    _bug(
        "final records are written once more after a restart",
        "streams.core.journeys.store",
        "final_ms=head.final_ms",
        "final_ms=0",
    ),
    _bug(
        "a journey is final before the allowed lateness has passed",
        "streams.core.journeys.population",
        "bounds_of(p, time), time.oldest_ms",
        "bounds_of(p, time), self.watermark_ms",
    ),
    _bug(
        "chores that a restart interrupted are left",
        "streams.core.journeys.population",
        "max(self.settled_mark_ms - 1, 0)  # a time below",
        "max(self.settled_mark_ms, 0)  # a time below",
    ),
    _bug(
        "a purchase is forgotten before a refund can be that late",
        "streams.core.journeys.trimming",
        "patience.refund + delay.change_ms)",
        "patience.refund)",
    ),
    _bug(
        "people are forgotten as soon as they are silent",
        "streams.core.journeys.trimming",
        "due_ms = (p.newest_head >> TIME) + delay.known_ms",
        "due_ms = p.newest_head >> TIME",
    ),
    _bug(
        "the forgotten leave segments behind",
        "streams.core.journeys.store",
        "for number in (HEAD_PART, *base, *origins, *sealed)]",
        "for number in (HEAD_PART, *base, *origins)]",
    ),
    _bug(
        "new rules are recorded one record late",
        "streams.core.processing.rulebook",
        "self.eras.append(era)",
        "self.eras.append(Era({source: offset + 1 for source, offset in begins.items()}, era.rules, "
        "era.door))",
    ),
    _bug(
        "the ids of folded signals are not all in the index",
        "streams.core.journeys.folded",
        "_index(folded.index, segment, folded.first + len(folded.segments) - 1)",
        "pass",
    ),
    _bug(
        "order facts of sealed segments are lost at a restart",
        "streams.core.journeys.store",
        "return segment + _encode(facts) if facts else segment",
        "return segment",
    ),
    _bug(
        "needs and base are stored once only",
        "streams.core.journeys.store",
        "if p.base_changed:",
        "if p.base_changed and not p.base_stored:",
    ),
    _bug(
        "a partition reports the greatest watermark of its inputs and not the least",
        "streams.core.processing.watermark",
        "if waiting:\n            return min(waiting)",
        "if waiting:\n            return max(waiting)",
    ),
    _bug(
        "a partition waits for none of its inputs",
        "streams.core.processing.watermark",
        "if name != reading and name not in self._ended:",
        "if False:",
    ),
    _bug(
        "an input holds nothing back while its last records are still to be taken",
        "streams.core.processing.watermark",
        "self._ended = fetched.ended.difference([name for name, _ in fetched.chunks])",
        "self._ended = fetched.ended",
    ),
    _bug(
        "a partition waits for none of the others",
        "streams.core.processing.watermark",
        "for number in self.waiting_for:",
        "for number in ():",
    ),
    _bug(
        "an event is forwarded twice",
        "streams.core.processing.open_batch",
        "self._forwarded.append(Output(INBOX.name, who, encode_message(item), (), owner))",
        "self._forwarded += [Output(INBOX.name, who, encode_message(item), (), owner)] * 2",
    ),
    _bug(
        "the time of a forwarded record is that of its forwarding",
        "streams.core.processing.open_batch",
        "time_ms=record.time_ms,",
        "time_ms=-1,",
    ),
    _bug(
        "the cue of a repeated purchase is matched with the journey that is open",
        "streams.core.journeys.machine",
        "if s.last_sign_ms != signal.head >> TIME or s.last_sign != signal.ref or s.cues >= MAX_CUES:",
        "if not s.journey or s.cues >= MAX_CUES:",
    ),
    _bug(
        "the cues of a journey count on in the next one",
        "streams.core.journeys.machine",
        "s.furthest, s.been_in, s.cues = intent, 0, 0",
        "s.furthest, s.been_in = intent, 0",
    ),
    _bug(
        "a late event leaves the cues behind it where they were",
        "streams.core.journeys.folding",
        "            if cue:\n                match_cue(states[need], signal, out)",
        "",
    ),
    _bug(
        "a cue that is taken back is counted once more",
        "streams.core.processing.cues",
        '1 if op == "assert" else -1',
        "1",
    ),
    _bug(
        "of two links as near the one after an event decides",
        "streams.core.identity.links",
        "if following is not None and following.at_ms - at_ms < at_ms - last_ms:",
        "if following is not None and following.at_ms - at_ms <= at_ms - last_ms:",
    ),
    _bug(
        "of links in one millisecond the greatest user counts",
        "streams.core.identity.links",
        "return links[bisect_left(links, last_ms, key=_AT)]",
        "return links[after - 1]",
    ),
    _bug(
        "a link reaches one millisecond further back",
        "streams.core.identity.links",
        "if following is not None and following.at_ms - at_ms > spans.back_ms:",
        "if following is not None and following.at_ms - at_ms > spans.back_ms + 1:",
    ),
    _bug(
        "users who come after the deciding link make a device shared",
        "streams.core.identity.links",
        "for link in links[first : bisect_right(links, at_ms, key=_AT)]",
        "for link in links[first:]",
    ),
    _bug(
        "a quarter of an hour begins with its first link",
        "streams.core.identity.links",
        "begin_ms = new.at_ms - new.at_ms % LINK_QUARTER_MS",
        "begin_ms = new.at_ms",
    ),
    _bug(
        "a link is forgotten while it can still decide something",
        "streams.core.identity.links",
        "return change_ms + forward_ms + (spans.shared_ms if several_users else 0)",
        "return change_ms",
    ),
    _bug(
        "links in the middle of a run are dropped wherever it is broken",
        "streams.core.identity.links",
        "and kept[-1].user == link.user == following.user",
        "and kept[-1].user == following.user",
    ),
    _bug(
        "a late link counts",
        "streams.core.identity.devices",
        "if link.at_ms < oldest_ms:",
        "if False:",
    ),
    _bug(
        "a link moves nothing that came before it",
        "streams.core.identity.devices",
        "from_ms = moved_from_ms(device.links, changed_ms, self.spans)",
        "from_ms = changed_ms",
    ),
    _bug(
        "what a device gave is taken back twice",
        "streams.core.identity.devices",
        "in taken.items()]",
        "in taken.items()] * 2",
    ),
    _bug(
        "what goes from one user to another is not taken from the first",
        "streams.core.identity.devices",
        "if before is not None:\n                taken",
        "if before is not None and now is None:\n                taken",
    ),
    _bug(
        "a smaller copy that belongs to a user leaves the other with the device",
        "streams.core.identity.devices",
        "if judged.twin >= 0:",
        "if False:",
    ),
    _bug(
        "a device forgets at a restart what it gave",
        "streams.core.identity.device",
        "given or None,",
        "None,",
    ),
    _bug(
        "two devices that give one id give one event",
        "streams.core.journeys.signal",
        'name = f"{device}\\x1f{event_text(ref)}".encode("utf-8", "surrogatepass")',
        'name = event_text(ref).encode("utf-8", "surrogatepass")',
    ),
    _bug(
        "which device gave an event is lost at a restart",
        "streams.core.journeys.store",
        "origins=_decode_origins(origins) if origins is not None else None,",
        "origins=None,",
    ),
    _bug(
        "everything is settled up to a partition's own watermark",
        "streams.core.processing.connecting",
        "settled_ms = min(population.watermark_ms, tracker.peers_settled_ms)",
        "settled_ms = population.watermark_ms",
    ),
    _bug(
        "a report of what is settled says how far the inputs are",
        "streams.core.processing.watermark",
        "idle, own_watermark_ms=self.own_watermark_ms)",
        "idle, own_watermark_ms=self.inputs_ms)",
    ),
    _bug(
        "a link is sent once in a quarter of an hour, whether or not it can be late",
        "streams.core.processing.connecting",
        "if certain:",
        "if True:",
    ),
    _bug(
        "who is many people has what others do on the same device",
        "streams.core.processing.connecting",
        "if event.user_id in parameters.collective:",
        "if False:",
    ),
    _bug(
        "the rule of a given event is the first one",
        "streams.core.processing.travelling",
        "code = book.code_of(sent.rules, RuleInfo(sent.rule, sent.confidence))",
        "code = 0",
    ),
    _bug(
        "a link that turns out to be the first of its quarter of an hour is not sent",
        "streams.core.processing.connecting",
        "and (sent[1] < event.at_ms or sent[1:] == (event.at_ms, event.id))",
        "",
    ),
    _bug(
        "the settled mark stays where the last event was",
        "streams.core.processing.processor",
        "self.connector.settle(self)",
        "pass",
    ),
    _bug(
        "whose a device is stays as it was published first",
        "streams.core.identity.ownership",
        "if now != published:",
        "if now != published and (now is None or published is None):",
    ),
    _bug(
        "whose a device was stays published when it is forgotten",
        "streams.core.identity.ownership",
        "self._published.setdefault(device.key, _FORGOTTEN)",
        "pass",
    ),
    _bug(
        "what a redriven event of a device changes at its user is published twice",
        "streams.core.processing.connecting",
        "taken, moved = take_given(partition.population, give.user, device, signal)",
        "taken, moved = take_given(partition.population, give.user, device, signal)\n"
        "        partition.population.changes *= 2",
    ),
    _bug(
        "what time takes of devices is not committed",
        "streams.core.identity.devices",
        "self.population.done += 1",
        "pass",
    ),
)
