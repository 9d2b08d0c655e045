import pytest

from core.formats.messages import Message, conversation
from core.formats.rows import BadRow, Row

ASKED = Message("user", "什么是久期？")
ANSWERED = Message("assistant", "<think>\n想一想\n</think>\n债券的平均回收期。")


def read(**fields):
    return conversation(Row("train.jsonl:7", fields))


def turns(*pairs, names=("role", "content")):
    return [dict(zip(names, pair, strict=True)) for pair in pairs]


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": turns(("HUMAN", ASKED.content), ("ASSISTANT", ANSWERED.content))},
        {"messages": turns(("User", ASKED.content), ("Bot", ANSWERED.content))},
        {"conversations": turns(("human", ASKED.content), ("gpt", ANSWERED.content), names=("from", "value"))},
        {"instruction": ASKED.content, "input": "", "output": ANSWERED.content},
        {"question": ASKED.content, "answer": ANSWERED.content},
        {"prompt": ASKED.content, "response": ANSWERED.content, "id": 3},
    ],
    ids=lambda fields: ",".join(fields),
)
def test_every_spelling_gives_the_same_conversation_with_its_thoughts(fields):
    assert read(**fields) == (ASKED, ANSWERED)


def test_a_system_message_comes_first_whether_in_the_list_or_beside_it():
    whole = (Message("system", "简短"), ASKED, ANSWERED)
    assert read(messages=turns(("SYSTEM", "简短"), ("user", ASKED.content), ("assistant", ANSWERED.content))) == whole
    pairs = turns(("human", ASKED.content), ("gpt", ANSWERED.content), names=("from", "value"))
    assert read(system="简短", conversations=pairs) == whole


def test_an_alpaca_row_keeps_its_input_and_its_history():
    found = read(instruction="译成英文", input="久期", output="duration", history=[["译", "好"]])
    assert [tuple(message) for message in found] == [
        ("user", "译"), ("assistant", "好"), ("user", "译成英文\n久期"), ("assistant", "duration"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"messages": []}, "the conversation is empty"),
        ({"messages": turns(("user", "a"), ("user", "b"))}, "turn 2 is of the user, the assistant is due"),
        ({"messages": turns(("assistant", "a"), ("user", "b"))}, "turn 1 is of the assistant, the user is due"),
        ({"messages": turns(("user", "a"), ("system", "b"))}, "turn 2 is of the system"),
        ({"messages": turns(("user", "a"))}, "no answer: the conversation ends with the user"),
        ({"messages": turns(("user", "a"), ("assistant", " "))}, "turn 2, of the assistant, is empty"),
        ({"messages": turns(("user", "a"), ("assistant", "<think>b</think> \n"))}, "turn 2 has thoughts and no answer"),
        ({"messages": turns(("user", "a"), ("critic", "b"))}, "`messages[1]` has the role 'critic'"),
        ({"messages": turns(("user", "a"), ("assistant", None))}, "`messages[1].content` is null, not text"),
        ({"messages": [{"text": "a"}]}, "`messages[0]` has no `role` (or `from`); it has `text`"),
        ({"messages": ["a"]}, "`messages[0]` is a text, an object"),
        ({"messages": "a"}, "`messages` is a text, a list is needed"),
        ({"messages": turns(("user", "a"), ("assistant", "b")), "tools": [{"name": "search"}]}, "`tools` are given"),
        ({"instruction": "a"}, "neither `messages` nor a question with its answer; the row has `instruction`"),
        ({"instruction": "a", "output": "b", "history": [["c"]]}, "`history[0]` is not a question and its answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_row_that_is_no_conversation_is_bad_and_says_why_and_where(fields, told):
    with pytest.raises(BadRow) as caught:
        read(**fields)
    assert told in caught.value.what
    assert caught.value.where == "train.jsonl:7"
