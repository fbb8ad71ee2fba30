using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;
using YamlDotNet.Serialization;

namespace ChatBackend.Tests.Features.Chat.Answering;

public sealed class SmallTalkTests(ChatApp app) : IClassFixture<ChatApp>
{
    private static readonly string[] Kinds = ["greeting", "thanks", "farewell", "what_are_you"];

    private static readonly Dictionary<string, Dictionary<string, object>> Table = new DeserializerBuilder().Build()
        .Deserialize<Dictionary<string, Dictionary<string, object>>>(Repository.Text("Features/Chat/Answering/small-talk.yaml"));

    [Theory]
    [InlineData("hi", "Hello, ask")]
    [InlineData("hiiii!!!", "Hello, ask")]
    [InlineData("Hello 👋", "Hello, ask")]
    [InlineData("HEY THERE", "Hello, ask")]
    [InlineData("What’s up?", "Hello, ask")]
    [InlineData("thanks!!", "You are welcome")]
    [InlineData("ok great, thank youuu so much :D 🙏🏽", "You are welcome")]
    [InlineData("hi, thanks", "You are welcome")]
    [InlineData("thanks, bye", "Goodbye")]
    [InlineData("Bye-bye", "Goodbye")]
    [InlineData("are you a bot?", "I am a program")]
    [InlineData("Hi! What can I ask you?", "I am a program")]
    [InlineData("help", "I am a program")]
    [InlineData("السلام علیکم", "خوش آمدید")]
    [InlineData("بہت شکریہ!", "کوئی بات نہیں")]
    [InlineData("آپ کون ہیں؟", "میں انسان نہیں")]
    [InlineData("Assalam-o-Alaikum bhai", "Khush aamdeed")]
    [InlineData("shukriyaaa", "Koi baat nahin")]
    [InlineData("Allah hafiz", "Khuda hafiz")]
    [InlineData("السلام عليكم", "مرحبًا")]
    [InlineData("شُكْرًا جزيلًا", "عفوًا")]
    [InlineData("مرحبـــا", "مرحبًا")]
    [InlineData("هل أنت روبوت؟", "أنا برنامج")]
    [InlineData("नमस्ते 🙏", "नमस्ते, ")]
    [InlineData("धन्यवाद।", "आपका स्वागत है")]
    [InlineData("¡HOLA! ¿Qué tal?", "Hola, pregúntame")]
    [InlineData("muchas gracias", "De nada")]
    [InlineData("¿quien eres?", "Soy un programa")]
    [InlineData("你好！", "你好，")]
    [InlineData("你好谢谢", "不客气")]
    [InlineData("你是机器人吗？", "我是一个程序")]
    [InlineData("谢谢你的帮助！", "不客气")]
    [InlineData("Are you an AI or a human?", "I am a program")]
    [InlineData("thanks again!", "You are welcome")]
    [InlineData("Hi chatbot", "Hello, ask")]
    [InlineData("السلام علیکم ورحمۃ اللہ وبرکاتہ", "خوش آمدید")]
    [InlineData("kya aap ek robot hain?", "Main insaan nahin")]
    [InlineData("क्या आप एक रोबोट हैं?", "मैं इंसान नहीं")]
    [InlineData("खुदा हाफिज", "फिर मिलेंगे")]
    [InlineData("ＨＥＬＬＯ", "Hello, ask")]
    [InlineData("Merhaba hocam, nasılsınız?", "Merhaba, bu kitap")]
    [InlineData("Çok teşekkür ederim!", "Rica ederim")]
    [InlineData("Hallo zusammen", "Hallo, fragen")]
    [InlineData("Vielen Dank für die Erklärung", "Gern geschehen")]
    [InlineData("Bist du ein Roboter?", "Ich bin ein Programm")]
    [InlineData("Bonjour, comment ça va ?", "Bonjour, posez-moi")]
    [InlineData("merci beaucoup pour votre aide", "De rien, vous")]
    [InlineData("Au revoir !", "Au revoir, et")]
    public void Small_talk_is_answered_in_its_language(string message, string answer) => Assert.StartsWith(answer, Answer(message), StringComparison.Ordinal);

    [Theory]
    [InlineData("hi, what is a topic?")]
    [InlineData("thanks, and why does it fall?")]
    [InlineData("What is a robot?")]
    [InlineData("How are you supposed to tune a filter?")]
    [InlineData("How do you say hello over a topic?")]
    [InlineData("help me understand quaternions")]
    [InlineData("highway")]
    [InlineData("ok")]
    [InlineData("yes")]
    [InlineData("and why?")]
    [InlineData("thanks, and then?")]
    [InlineData("TX?")]
    [InlineData("8")]
    [InlineData("88")]
    [InlineData("hi 2 + 2")]
    [InlineData("???")]
    [InlineData("👍")]
    [InlineData("سلام، ٹاپک کیا ہے؟")]
    [InlineData("ROS 2 kya hai")]
    [InlineData("हेलो, नोड क्या है?")]
    [InlineData("मुद्दे")]
    [InlineData("hola, ¿qué es un nodo?")]
    [InlineData("你好，什么是话题？")]
    [InlineData("Merhaba, konu nedir?")]
    [InlineData("Hallo, was ist ein Knoten?")]
    [InlineData("Bonjour, qu'est-ce qu'un nœud ?")]
    [InlineData("Robot musunu neden düşürür?")]
    [InlineData("a\uFFFEb")]
    public void A_message_that_asks_for_more_is_no_small_talk(string message) => Assert.Null(Answer(message));

    [Fact]
    public void A_long_message_costs_nothing() => Assert.Null(Answer(string.Concat(Enumerable.Repeat("bye ", 1_000)) + "x"));

    [Fact]
    public void With_marked_text_any_message_asks_for_more() => Assert.Null(SmallTalk.Answer(new("help", "A service answers a request.", null), new()));

    public static TheoryData<string, string> Blocks() =>
        [.. from language in Table.Keys from kind in Kinds select new TheoryDataRow<string, string>(language, kind)];

    [Theory]
    [MemberData(nameof(Blocks))]
    public void Each_phrase_of_the_table_gets_one_sentence_that_names_the_book(string language, string kind)
    {
        var block = (Dictionary<object, object>)Table[language][kind];
        var template = (string)block["answer"];

        Assert.Single(template.Split("{book}").Skip(1));
        Assert.Equal(template.Length - 1, template.IndexOfAny(['.', '。', '۔', '।', '?', '!']));
        var answers = ((List<object>)block["said"]).Select(said => (Said: (string)said, Answer: SmallTalk.Answer(new((string)said, null, null), new() { BookTitle = "X" }))).ToArray();
        Assert.All(answers, a => Assert.True(a.Answer is not null, a.Said));
        // One or two words are in two languages alike, or in two kinds.
        Assert.InRange(answers.Count(a => a.Answer != template.Replace("{book}", "*X*")), 0, 2);
    }

    [Fact]
    public void The_book_is_named_by_its_title_or_in_the_languages_own_words()
    {
        Assert.Contains("about *Robots at Work*:", SmallTalk.Answer(new("hi", null, null), new() { BookTitle = "Robots at Work" }), StringComparison.Ordinal);
        Assert.Contains("about this book:", Answer("hi"), StringComparison.Ordinal);
        Assert.Contains("sobre este libro:", Answer("hola"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_is_a_turn_like_others_that_neither_searches_nor_asks_the_model()
    {
        var before = app.Model.Requests.Count;

        var answer = await app.AnswerAsync(new { message = "Hello!" });

        Assert.StartsWith("Hello, ask me anything about this book", answer.GetProperty("response").GetString());
        Assert.Equal(("none", "stop", "small-talk"), (Text("grounding"), Text("finish_reason"), Text("model")));
        Assert.False(answer.GetProperty("incomplete").GetBoolean());
        Assert.Empty(answer.GetProperty("citations").EnumerateArray());
        Assert.Equal(before, app.Model.Requests.Count);
        var stored = await (await app.Client.GetAsync($"/chat/turns/{Text("turn_id")}")).JsonAsync();
        Assert.Equal("completed", stored.GetProperty("state").GetString());
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where turn_id = @id", new { id = answer.GetProperty("turn_id").GetGuid() }));

        string? Text(string name) => answer.GetProperty(name).GetString();
    }

    [Fact]
    public async Task It_is_streamed_like_others()
    {
        using var response = await app.AskAsync(new { message = "gracias" }, accept: "text/event-stream");
        using var stream = new EventStream(response);

        var events = await stream.AllAsync();

        Assert.Equal(("turn", "citations", "completed"), (events[0].Name, events[1].Name, events[^1].Name));
        Assert.StartsWith("De nada", EventStream.Text(events));
        Assert.Equal(events[^1].Data.GetProperty("response").GetString(), EventStream.Text(events));
    }

    [Fact]
    public async Task The_next_follow_up_refers_to_the_question_before_it()
    {
        await using var offline = new ChatApp { ["AI_PROVIDER"] = "offline" };
        await offline.InitializeAsync();
        var session = Guid.NewGuid();
        await offline.AnswerAsync(new { message = "Where must the zero moment point of a humanoid stay?", session_id = session });
        await offline.AnswerAsync(new { message = "thanks", session_id = session });

        var answer = await offline.AnswerAsync(new { message = "and why?", session_id = session });

        Assert.Equal("/docs/motion/balance#the-zero-moment-point", answer.GetProperty("citations")[0].GetProperty("url").GetString());
    }

    [Fact]
    public void No_question_refers_to_small_talk()
    {
        HistoryMessage[] history = [new(ModelRole.User, "hi"), new(ModelRole.Assistant, "Hello"), new(ModelRole.User, "What is a topic?"), new(ModelRole.Assistant, "A channel")];

        Assert.Equal(["What is a topic?", "A channel"], SmallTalk.Without(history).Select(m => m.Content));
        Assert.False(FollowUp.RefersToConversation("and why?", SmallTalk.Without([.. history.Take(2)])));
    }

    private static string? Answer(string message) => SmallTalk.Answer(new(message, null, null), new SiteOptions());
}
