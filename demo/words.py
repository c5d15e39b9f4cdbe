"""The words of a Values Week: the micro-credential's levels, the activities of five days, what teachers noted."""

from typing import Final

from libs.contracts.results import SoloLevel

TIME_ZONE: Final = "Australia/Sydney"
ACHIEVEMENT: Final = "resilience"
ACHIEVEMENT_NAME: Final = "Resilience"
REQUIRED_LEVEL: Final = SoloLevel.MULTISTRUCTURAL

DESCRIPTION: Final = (
    "Keeps going, adapts and recovers when something is hard, goes wrong or takes longer than hoped, "
    "and helps others to do the same."
)
CRITERIA: Final = (
    "Teachers note what the learner does and says during Values Week, in tasks that are meant to go wrong at first: "
    "a raft that sinks, a puzzle without enough pieces, a rehearsal with a missing actor. The note is placed on one of "
    "five levels. The credential is earned from the third level (multistructural) on; a later note at a higher level "
    "earns the next one, and a worse day takes nothing away."
)

LEVELS: Final[dict[SoloLevel, tuple[str, str]]] = {
    SoloLevel.PRESTRUCTURAL: (
        "Not there yet",
        (
            "Meets a setback by stopping, by blaming, or by waiting for somebody to fix it. Cannot yet say what "
            "happened or what they felt. Begins again only with an adult beside them."
        ),
    ),
    SoloLevel.UNISTRUCTURAL: (
        "One way to go on",
        (
            "Names one thing that went wrong and has one way of going on, such as three slow breaths, asking for help "
            "or trying once more. Uses it when reminded. When that way does not work, stops."
        ),
    ),
    SoloLevel.MULTISTRUCTURAL: (
        "Several ways to go on",
        (
            "Has several ways of going on (pausing, asking, splitting the task, trying it differently) and uses them "
            "without being reminded. Works through them one after another; cannot yet say why one suits this setback "
            "better than another."
        ),
    ),
    SoloLevel.RELATIONAL: (
        "The way that fits",
        (
            "Connects what happened, what they felt and what they did about it. Picks the way of going on that fits "
            "this setback, gives a reason, and changes the plan when it is not working. Sees how their own calm or "
            "temper changes things for the group."
        ),
    ),
    SoloLevel.EXTENDED_ABSTRACT: (
        "Beyond the task",
        (
            "Carries what one setback taught into another part of life without being asked: a sport, a friendship, a "
            "different subject. Expects difficulty and prepares for it, helps others to find their own way through "
            "rather than giving them theirs, and can say what resilience is, and when it is wiser to let go."
        ),
    ),
}

# One list of activities for each day from Monday to Friday.
ACTIVITIES: Final = (
    ("Circle: a time it went wrong", "The puzzle with missing pieces", "Maths that will not yield"),
    ("Raft building, first attempt", "Breathing before the cold water", "Letter to a mistake"),
    ("Raft building, second attempt", "Rehearsal without the lead", "Peer coaching"),
    ("The long walk", "Debate: quitting is sometimes right", "Repair café"),
    ("Raft race", "Exhibition of failed drafts", "What I take with me"),
)

NOTES: Final[dict[SoloLevel, tuple[str, ...]]] = {
    SoloLevel.PRESTRUCTURAL: (
        "Walked off when the first knot slipped and did not come back.",
        "Said it was the others' fault and waited.",
        "Put the pencil down at the first wrong answer.",
        "Started only once I sat down beside them.",
        "Could not say what had gone wrong.",
    ),
    SoloLevel.UNISTRUCTURAL: (
        "Took three breaths when I reminded them, then tried once more.",
        "Asked for help, and stopped when the first idea did not work.",
        "Said 'the rope was wet' and tied it again the same way.",
        "Tried again when the group did.",
        "One more attempt, then enough for today.",
    ),
    SoloLevel.MULTISTRUCTURAL: (
        "Paused, asked a friend, then split the job in two. Unprompted.",
        "Tried three different knots in turn.",
        "Read it again, drew it, then asked. Could not say which of these had helped.",
        "Kept a list of things to try and worked down it.",
        "Moved from anger to a new attempt without any of us stepping in.",
    ),
    SoloLevel.RELATIONAL: (
        "'We were rushing because we were scared of being last', and slowed the group down.",
        "Swapped the plan at half time and explained why the first one could not work.",
        "Noticed that shouting made the others quiet, apologised, and asked what they had seen.",
        "Chose to rest before the steep part: 'if I push now I will stop at the top'.",
        "Linked the sinking raft to where the weight sat, and the quarrel to where the blame sat.",
    ),
    SoloLevel.EXTENDED_ABSTRACT: (
        "Used the raft to talk about a friendship that broke, and what repairing it would take.",
        "Packed for failure: spare rope, spare time, a spare plan. 'Something always goes.'",
        "Asked questions until the younger ones found their own way; gave them none of their own.",
        "Argued that giving up the first design was the resilient choice, and when it would not be.",
        "Wrote a page for next year's class on how to lose well.",
    ),
}
