using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Tests.Features.Chat.Answering;

public sealed class FollowUpTests
{
    private static readonly HistoryMessage[] History =
        [new(ModelRole.User, "What is the zero moment point?"), new(ModelRole.Assistant, "It is …")];

    [Theory]
    [InlineData("and why?", true)]
    [InlineData("Give an example", true)]
    [InlineData("Can you explain that more simply?", true)]
    [InlineData("How does it work?", true)]
    [InlineData("What about walking?", true)]
    [InlineData("اور کیوں؟", true)]
    [InlineData("How do two ROS 2 nodes talk to each other?", false)]
    [InlineData("What is a Kalman filter and when should I use it?", false)]
    [InlineData("دو نوڈز آپس میں کیسے بات کرتے ہیں؟", false)]
    public void A_question_without_a_subject_depends_on_the_turn_before(string question, bool refers) =>
        Assert.Equal(refers, FollowUp.RefersToConversation(question, History));

    [Fact]
    public void The_first_question_depends_on_no_turn() => Assert.False(FollowUp.RefersToConversation("and why?", []));

    [Theory]
    [InlineData("دو نوڈز آپس میں کیسے بات کرتے ہیں؟", true)]
    [InlineData("Wie sprechen zwei Knoten miteinander?", true)]
    [InlineData("How do nodes talk?", false)]
    [InlineData("12 + 34", false)]
    public void A_question_in_another_language_is_recognized(string question, bool isForeign) =>
        Assert.Equal(isForeign, FollowUp.IsForeign(question));
}
