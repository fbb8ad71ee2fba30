using ChatBackend.Infrastructure.Search.Meaning;
using YamlDotNet.RepresentationModel;

namespace ChatBackend.Tests.Infrastructure.Search.Meaning;

public sealed class UnrelatedQuestionsTests
{
    [Fact]
    public void Each_language_of_small_talk_has_forty_questions_of_its_own()
    {
        using var file = File.OpenText(Path.Combine(Repository.Root, "Features/Chat/Answering/small-talk.yaml"));
        var yaml = new YamlStream();
        yaml.Load(file);
        var languages = ((YamlMappingNode)yaml.Documents[0].RootNode).Children.Keys.Select(k => ((YamlScalarNode)k).Value!).ToArray();

        Assert.Contains("en", languages);
        Assert.All(languages, language => Assert.Equal(40, UnrelatedQuestions.In(language).Distinct().Count()));
        Assert.Equal(40 * languages.Length, languages.SelectMany(UnrelatedQuestions.In).Distinct().Count());
    }

    [Theory]
    [InlineData("es-MX", "es")]
    [InlineData("ES", "es")]
    [InlineData("zh-Hans-CN", "zh")]
    [InlineData("ur-Latn-PK", "ur-Latn")]
    [InlineData("de-AT", "de")]
    [InlineData("pl", "en")]
    public void A_language_without_questions_takes_those_of_its_parent_or_English(string language, string like) =>
        Assert.Same(UnrelatedQuestions.In(like), UnrelatedQuestions.In(language));

    [Fact]
    public void The_nearest_question_hardly_moves_the_threshold()
    {
        var nearest = Enumerable.Range(1, 40).Select(i => i / 100.0).ToArray();

        Assert.Equal(0.39025, UnrelatedQuestions.Threshold(nearest), 9);
        Assert.InRange(UnrelatedQuestions.Threshold([.. nearest[..^1], 0.95]), 0.39, 0.405);
        Assert.Equal(0.2, UnrelatedQuestions.Threshold([0.2]));
    }
}
